-- Ends the history of incidents that nothing has changed since the cutoff.
DELETE FROM incidents WHERE updated_at < %(cutoff)s;
