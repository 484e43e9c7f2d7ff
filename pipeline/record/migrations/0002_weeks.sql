-- Partitions by week: made ahead by the lane, dropped whole when the history is over.

CREATE TABLE history_tables (name text PRIMARY KEY);
INSERT INTO history_tables VALUES ('decisions'), ('deliveries'), ('feedback'), ('dead_letters'), ('unreadable');

CREATE FUNCTION ensure_week(monday date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    child text;
BEGIN
    -- Two workers that make the same table at once would otherwise fail on its name.
    PERFORM pg_advisory_xact_lock(hashtext('flux.record.weeks'));
    FOR parent IN SELECT name FROM history_tables ORDER BY name LOOP
        child := parent || '_' || to_char(monday, 'IYYY"w"IW');
        IF to_regclass(quote_ident(child)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                monday::timestamp AT TIME ZONE 'UTC', (monday + 7)::timestamp AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END;
$$;

-- Drops the weeks that ended at or before `cutoff`; returns how many tables went.
CREATE FUNCTION drop_weeks_before(cutoff timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    child record;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('flux.record.weeks'));
    FOR child IN
        SELECT c.relname
        FROM history_tables h
        JOIN pg_inherits i ON i.inhparent = to_regclass(quote_ident(h.name))
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE c.relname ~ '_[0-9]{4}w[0-9]{2}$'
          AND (to_date(right(c.relname, 7), 'IYYY"w"IW') + 7)::timestamp AT TIME ZONE 'UTC' <= cutoff
    LOOP
        EXECUTE format('DROP TABLE %I', child.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END;
$$;
