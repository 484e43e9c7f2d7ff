-- The newest revision of an incident wins.
INSERT INTO incidents
SELECT DISTINCT ON (incident_id) * FROM staged_incidents ORDER BY incident_id, revision DESC
ON CONFLICT (incident_id, cluster) DO UPDATE SET
    revision = excluded.revision, domain = excluded.domain, status = excluded.status, severity = excluded.severity,
    service = excluded.service, environment = excluded.environment, title = excluded.title, parent = excluded.parent,
    told = excluded.told, opened_at = excluded.opened_at, updated_at = excluded.updated_at,
    acknowledged_at = excluded.acknowledged_at, resolved_at = excluded.resolved_at, body = excluded.body
WHERE excluded.revision > incidents.revision;
