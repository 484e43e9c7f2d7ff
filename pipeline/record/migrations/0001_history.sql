-- Incidents, decisions, deliveries, feedback and dead letters, each found by where it lies in Kafka.
-- `cluster` names the Kafka cluster and the topic prefix, since offsets mean something only within one.
-- `recorded_at` is the broker's time of the record on its topic: it rises with the offset and a source cannot bend it.

CREATE TABLE positions (
    cluster text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster, topic, partition)
);

CREATE TABLE incidents (
    cluster text NOT NULL,
    incident_id text NOT NULL,
    revision integer NOT NULL,
    domain text NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    service text NOT NULL,
    environment text NOT NULL,
    title text NOT NULL,
    parent text,
    told boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    resolved_at timestamptz,
    body jsonb NOT NULL,
    PRIMARY KEY (incident_id, cluster)
);
CREATE INDEX incidents_updated ON incidents (updated_at);
CREATE INDEX incidents_open ON incidents (updated_at) WHERE status NOT IN ('resolved', 'false_positive');

CREATE TABLE decisions (
    cluster text NOT NULL,
    raw_topic text NOT NULL,
    raw_partition integer NOT NULL,
    raw_offset bigint NOT NULL,
    raw_index integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    alert_id text NOT NULL,
    fingerprint text NOT NULL,
    incident_id text,
    source text NOT NULL,
    name text NOT NULL,
    service text NOT NULL,
    environment text NOT NULL,
    domain text NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    received_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (raw_offset, raw_partition, raw_index, raw_topic, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX decisions_alert ON decisions (alert_id);
CREATE INDEX decisions_incident ON decisions (incident_id) WHERE incident_id IS NOT NULL;

CREATE TABLE deliveries (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    effect_id text NOT NULL,
    attempt integer NOT NULL,
    receiver text NOT NULL,
    incident_id text NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL,
    took_ms integer NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX deliveries_incident ON deliveries (incident_id);

CREATE TABLE feedback (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    feedback_id text NOT NULL,
    kind text NOT NULL,
    incident_id text NOT NULL,
    said_by text NOT NULL,
    at timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX feedback_incident ON feedback (incident_id);

CREATE TABLE dead_letters (
    cluster text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    PRIMARY KEY (record_offset, partition, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX dead_letters_source ON dead_letters (source_offset, source_partition, source_topic);

-- Records of the topics above that this lane could not read: a bug, or somebody else writing to our topics.
CREATE TABLE unreadable (
    cluster text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    error text NOT NULL,
    key bytea,
    value bytea,
    PRIMARY KEY (record_offset, partition, topic, cluster, recorded_at)
) PARTITION BY RANGE (recorded_at);
