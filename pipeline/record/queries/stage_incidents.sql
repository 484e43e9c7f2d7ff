-- Where a batch of incident revisions lands before it is merged.
CREATE TEMP TABLE staged_incidents (LIKE incidents) ON COMMIT DELETE ROWS;
