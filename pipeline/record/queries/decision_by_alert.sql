-- The newest decision of an alert event.
SELECT body::text FROM decisions
WHERE alert_id = %(alert_id)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
ORDER BY recorded_at DESC LIMIT 1;
