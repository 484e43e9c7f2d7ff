"""The learn lane: from what people corrected to snapshots that decide uses, each promoted only when it is better than the one before."""
