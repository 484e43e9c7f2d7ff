-- Columns in the order of rows.label_row.
INSERT INTO labels (
    cluster, partition, record_offset, recorded_at, label_id, kind, incident_id, rule_severity, advised, severity, model, said_by, at, body
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING;
