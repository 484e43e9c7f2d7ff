-- The latest revision of an incident.
SELECT body::text FROM incidents
WHERE incident_id = %(incident_id)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY updated_at DESC LIMIT 1;
