"""The built-in story of `fluxai run`: real payloads of real sources, told as data and played by the clock."""
