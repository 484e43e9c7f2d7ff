-- Settings of the lane's session. A crash of the server may lose the newest commits: rows and positions alike, so they are read again.
SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', '20s', false), set_config('lock_timeout', '10s', false);
