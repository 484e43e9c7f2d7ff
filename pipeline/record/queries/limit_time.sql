-- Ends a question that takes too long.
SELECT set_config('statement_timeout', %(limit)s, true);
