"""Brokers for a laptop and for tests, the topics on a broker, and reference data read from it."""
