-- Incidents, the one that changed last first.
SELECT body::text FROM incidents
WHERE (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
    AND (NOT %(open_only)s OR status NOT IN ('resolved', 'false_positive'))
ORDER BY updated_at DESC, incident_id LIMIT %(limit)s;
