-- What language models said, what they cost, and what people corrected.

CREATE TABLE advice (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    effect_id text NOT NULL,
    attempt integer NOT NULL,
    incident_id text NOT NULL,
    status text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    prompt text NOT NULL,
    severity text,
    confidence double precision NOT NULL,
    cost_usd double precision NOT NULL,
    at timestamptz NOT NULL,
    took_ms integer NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX advice_incident ON advice (incident_id);

CREATE TABLE usage (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    usage_id text NOT NULL,
    kind text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    prompt text NOT NULL,
    incident_id text NOT NULL,
    outcome text NOT NULL,
    cost_usd double precision NOT NULL,
    tokens_in integer NOT NULL,
    tokens_out integer NOT NULL,
    tokens_cached integer NOT NULL,
    took_ms integer NOT NULL,
    asked boolean NOT NULL,
    cached boolean NOT NULL,
    at timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX usage_at ON usage (at);

CREATE TABLE labels (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    label_id text NOT NULL,
    kind text NOT NULL,
    incident_id text NOT NULL,
    rule_severity text NOT NULL,
    advised text,
    severity text,
    model text NOT NULL,
    said_by text NOT NULL,
    at timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX labels_incident ON labels (incident_id);

INSERT INTO history_tables VALUES ('advice'), ('usage'), ('labels');
