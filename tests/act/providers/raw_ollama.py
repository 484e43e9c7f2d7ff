"""Requests to Ollama's API by hand, for tests of what stands behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx


def request(prompt: str = "hello", *, model: str = "llama3.1:8b", stream: bool = True, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream, **more}


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=20.0, trust_env=False, limits=httpx.Limits(max_connections=None)) as one:
        yield one


async def lines(http: httpx.AsyncClient, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await http.post("/api/chat", json=body)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]
