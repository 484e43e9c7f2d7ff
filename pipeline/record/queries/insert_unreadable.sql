-- Columns in the order of rows.unreadable_row.
INSERT INTO unreadable (cluster, topic, partition, record_offset, recorded_at, error, key, value)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING;
