-- One process migrates at a time; the lock goes with the session.
SELECT pg_advisory_lock(hashtext('flux.record.migrations'));
