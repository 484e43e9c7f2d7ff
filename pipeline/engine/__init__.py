"""The exactly-once loop: consume, decide, one transaction. Knows no alert."""
