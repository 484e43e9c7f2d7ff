-- Columns in the order of rows.usage_row.
COPY staged_usage (
    cluster, partition, record_offset, recorded_at, usage_id, kind, provider, model, task, prompt, incident_id, outcome, cost_usd, tokens_in,
    tokens_out, tokens_cached, took_ms, asked, cached, at, body
) FROM STDIN;
