"""Deploys and configuration changes: what may explain the alerts that follow."""

from __future__ import annotations

from schemas.base import Message, Moment


class Change(Message):
    change_id: str
    kind: str = "deploy"
    """`deploy`, `config`, `maintenance`, `audit`."""
    service: str = ""
    environment: str = ""
    domain: str
    title: str = ""
    author: str = ""
    version: str = ""
    source: str = "unknown"
    url: str = ""
    happened_at: Moment
