-- Where a batch of delivery receipts lands before it is merged.
CREATE TEMP TABLE staged_deliveries (LIKE deliveries) ON COMMIT DELETE ROWS;
