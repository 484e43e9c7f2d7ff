-- Columns in the order of rows.incident_row.
COPY staged_incidents (
    cluster, incident_id, revision, domain, status, severity, service, environment, title, parent, told, opened_at, updated_at,
    acknowledged_at, resolved_at, body
) FROM STDIN;
