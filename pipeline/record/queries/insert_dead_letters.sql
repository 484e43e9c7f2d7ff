-- Columns in the order of rows.dead_letter_row.
INSERT INTO dead_letters (
    cluster, partition, record_offset, recorded_at, stage, reason, error, source_topic, source_partition, source_offset, key, value, headers
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING;
