-- Columns in the order of rows.delivery_row.
COPY staged_deliveries (
    cluster, partition, record_offset, recorded_at, effect_id, attempt, receiver, incident_id, status, at, took_ms, body
) FROM STDIN;
