-- The newest decisions of an incident, oldest first.
SELECT body FROM (
    SELECT body::text, decided_at, raw_partition, raw_offset, raw_index FROM decisions
    WHERE incident_id = %(incident_id)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
    ORDER BY decided_at DESC, raw_partition DESC, raw_offset DESC, raw_index DESC LIMIT %(limit)s
) AS newest
ORDER BY decided_at, raw_partition, raw_offset, raw_index;
