"""How it is carried: the exactly-once engine, the lanes, the rim."""
