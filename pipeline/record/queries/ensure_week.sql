-- Makes the partitions of the week that starts on this Monday.
SELECT ensure_week(%(monday)s);
