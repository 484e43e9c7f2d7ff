-- A dead letter by where it lies on its topic.
SELECT partition, record_offset, recorded_at, key, value, headers FROM dead_letters
WHERE record_offset = %(offset)s AND partition = %(partition)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY recorded_at DESC LIMIT 1;
