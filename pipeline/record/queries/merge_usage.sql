-- What was used never changes: the row that is there stays.
INSERT INTO usage SELECT * FROM staged_usage ON CONFLICT DO NOTHING;
