-- Dead letters by where their bytes were read; a topic goes by its short or its full name.
SELECT partition, record_offset, recorded_at, key, value, headers FROM dead_letters
WHERE source_offset = %(offset)s AND source_partition = %(partition)s AND source_topic = ANY(%(topics)s)
    AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY cluster, partition, record_offset;
