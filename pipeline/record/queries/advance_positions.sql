-- Moves positions on, only from where this worker believes they are: a worker that lost its partition changes no row.
WITH moves AS (
    SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(expected)s::bigint[], %(next)s::bigint[])
        AS m (topic, partition, expected, next_offset)
)
INSERT INTO positions (cluster, topic, partition, next_offset)
SELECT %(cluster)s, topic, partition, next_offset FROM moves ORDER BY topic, partition
ON CONFLICT (cluster, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
WHERE positions.next_offset = (
    SELECT expected FROM moves WHERE moves.topic = positions.topic AND moves.partition = positions.partition
);
