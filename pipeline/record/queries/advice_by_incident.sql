-- What became of each question to a model about an incident, oldest first.
SELECT body::text FROM advice
WHERE incident_id = %(incident_id)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY at, partition, record_offset;
