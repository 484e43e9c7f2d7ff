-- A receipt never changes: the one that is there stays.
INSERT INTO advice SELECT * FROM staged_advice ON CONFLICT DO NOTHING;
