-- Columns in the order of rows.advice_values.
COPY staged_advice (
    cluster, partition, record_offset, recorded_at, effect_id, attempt, incident_id, status, provider, model, prompt, severity, confidence,
    cost_usd, at, took_ms, body
) FROM STDIN;
