-- The decisions about the alerts of one raw record, in the order they lie in it.
SELECT body::text FROM decisions
WHERE raw_offset = %(offset)s AND raw_partition = %(partition)s AND raw_topic = ANY(%(topics)s)
    AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY cluster, raw_index, recorded_at;
