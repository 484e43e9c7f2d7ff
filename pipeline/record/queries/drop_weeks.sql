-- Ends the history before the cutoff.
SELECT drop_weeks_before(%(cutoff)s);
