-- A receipt never changes: the one that is there stays.
INSERT INTO deliveries SELECT * FROM staged_deliveries ON CONFLICT DO NOTHING;
