"""Signs that a text speaks to a machine, a file each language: see `agents/advice/signs.py`."""
