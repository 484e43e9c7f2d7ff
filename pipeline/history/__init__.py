"""What happened, read back: from PostgreSQL, or from the topics when it is away; explained and counted."""
