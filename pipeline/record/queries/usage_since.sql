-- Calls by UTC day, provider and model: a call is its settle where there is one, else its reserve; what was denied before it was asked is
-- none. Columns in the order of history.usage.Spent.
SELECT (at AT TIME ZONE 'UTC')::date AS day, provider, model, count(*) FILTER (WHERE asked), count(*) FILTER (WHERE NOT asked), count(*) FILTER (WHERE cached),
    count(*) FILTER (WHERE asked AND kind <> 'reserve' AND outcome <> 'answered'), sum(cost_usd), coalesce(sum(cost_usd) FILTER (WHERE kind = 'reserve'), 0),
    sum(tokens_in), sum(tokens_out), sum(tokens_cached), sum(took_ms)
FROM (
    SELECT DISTINCT ON (usage_id) * FROM usage
    WHERE at >= %(since)s AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s)
    ORDER BY usage_id, kind = 'reserve', at
) AS calls
GROUP BY day, provider, model ORDER BY day DESC, provider, model;
