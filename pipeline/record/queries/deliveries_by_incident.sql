-- What became of each attempt to tell somebody about an incident, oldest first.
SELECT body::text FROM deliveries
WHERE incident_id = %(incident_id)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY at, partition, record_offset;
