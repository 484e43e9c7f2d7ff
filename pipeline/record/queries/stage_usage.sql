-- Where a batch of usage lands before it is merged.
CREATE TEMP TABLE staged_usage (LIKE usage) ON COMMIT DELETE ROWS;
