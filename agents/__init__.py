"""What is decided: pure functions of (event, state, now). No I/O, no clock, no broker."""
