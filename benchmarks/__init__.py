"""Benchmarks: each `python -m benchmarks.NAME` starts all it needs and prints one JSON line last. The method is in README.md."""
