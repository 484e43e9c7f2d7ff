-- Columns in the order of rows.decision_row.
COPY staged_decisions (
    cluster, raw_topic, raw_partition, raw_offset, raw_index, recorded_at, alert_id, fingerprint, incident_id, source, name, service,
    environment, domain, status, severity, outcome, reason, received_at, decided_at, body
) FROM STDIN;
