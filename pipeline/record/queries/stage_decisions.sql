-- Where a batch of decisions lands before it is merged.
CREATE TEMP TABLE staged_decisions (LIKE decisions) ON COMMIT DELETE ROWS;
