"""Settings from the environment: one catalogue, read once, checked before anything starts."""
