"""Anomalies in metric series: detectors over arrays, windowed rules, levels and words. Pure: no I/O, no clock."""
