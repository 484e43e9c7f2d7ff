-- Where a batch of receipts of advice lands before it is merged.
CREATE TEMP TABLE staged_advice (LIKE advice) ON COMMIT DELETE ROWS;
