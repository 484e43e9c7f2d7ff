-- A decision never changes: the one that is there stays.
INSERT INTO decisions SELECT * FROM staged_decisions ON CONFLICT DO NOTHING;
