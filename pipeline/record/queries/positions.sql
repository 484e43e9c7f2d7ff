-- Where to go on reading: one row a partition that was ever stored.
SELECT topic, partition, next_offset FROM positions WHERE cluster = %(cluster)s;
