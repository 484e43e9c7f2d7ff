"""History in PostgreSQL: a lane that stores what the topics say, exactly once, and the queries that read it back."""
