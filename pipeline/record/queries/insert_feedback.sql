-- Columns in the order of rows.feedback_row.
INSERT INTO feedback (cluster, partition, record_offset, recorded_at, feedback_id, kind, incident_id, said_by, at, body)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING;
