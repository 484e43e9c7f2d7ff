"""Prompts, a file each version: `<task>.v<N>.toml`."""
