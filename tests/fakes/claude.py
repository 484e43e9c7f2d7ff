"""A fake of Anthropic's API over a real socket: `POST /v1/messages` and `GET /v1/models/ID` of version 2026-10-21.

It refuses what the real one is documented to refuse (sampling parameters, keywords of JSON Schema that structured outputs do not take,
`thinking` and `effort` with models that have none), so that a request that passes here has a chance there. Nothing in it was recorded
from the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.model_http import ModelServer, Reply, Request, generate

VERSION = "2026-10-21"
KEY = "sk-ant-of-the-fake"
CACHED_FROM_TOKENS = 512
TAKEN = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "allOf", "$ref", "$defs", "description", "title", "format", "minItems"),
}
"""Keywords of JSON Schema."""
BODY = {"model", "max_tokens", "system", "messages", "output_config", "thinking", "metadata", "stop_sequences", "cache_control"}
THINKING = {
    "claude-haiku-5-5": {"disabled", "adaptive"},
    "claude-sonnet-5-5": {"between_tools", "adaptive"},
    "claude-opus-5-5": {"adaptive"},
}
"""Models, and what their `thinking` may be; others do not think."""
THOUGHT_TOKENS = 200


class FakeClaude(ModelServer):
    """`answer` gives the text in place of one that the schema allows. `stop` is the reason to stop of all answers."""

    def __init__(self, answer: Callable[[dict[str, Any]], str] | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.stop = "end_turn"
        self.lifecycle = "active"
        self.retires_at: str | None = None
        self.key = KEY
        self._cached: set[str] = set()

    async def reply(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return self.error(401, "authentication_error", "invalid bearer token")
        if request.headers.get("anthropic-version") != VERSION:
            return self.error(400, "invalid_request_error", "anthropic-version: not this one")
        if request.method == "GET" and request.path.startswith("/v1/models/"):
            return self._model(request.path.rpartition("/")[2])
        if (request.method, request.path) != ("POST", "/v1/messages"):
            return self.error(404, "not_found_error", "Not found")
        wrong = complaint(request.body)
        return self.error(400, "invalid_request_error", wrong) if wrong else self._message(request.body)

    def error(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
        about = {"type": "error", "error": {"type": error, "message": message}, "request_id": "req_fake"}
        return Reply.of(about, status, {"request-id": "req_fake", **(headers or {})})

    def _message(self, body: dict[str, Any]) -> Reply:
        if not body["model"].startswith("claude-"):
            return self.error(404, "not_found_error", f"model: {body['model']}")
        system = "".join(block["text"] for block in body.get("system", []))
        user = body["messages"][0]["content"]
        form = body.get("output_config", {}).get("format", {})
        text = self.answer(body) if self.answer else json.dumps(generate(form["schema"], user)) if form else "Says the fake."
        thinks = body["model"] in THINKING and body.get("thinking", {"type": "adaptive"})["type"] == "adaptive"
        spent = (THOUGHT_TOKENS if thinks else 0) + tokens(text)
        stop = self.stop
        if spent > body["max_tokens"]:
            stop, spent, text = "max_tokens", body["max_tokens"], text[: len(text) // 2]
        content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "", "signature": "of the fake"}] if thinks else []
        if stop != "refusal":
            content.append({"type": "text", "text": text, "citations": None})
        about = {"id": "msg_fake", "type": "message", "role": "assistant", "model": body["model"], "content": content}
        return Reply.of(about | {"stop_reason": stop, "stop_sequence": None, "usage": self._usage(body, system, user, spent)})

    def _usage(self, body: dict[str, Any], system: str, user: str, spent: int) -> dict[str, Any]:
        """A prefix is cached where it is marked and long enough; another schema is another prefix."""
        prefix = json.dumps([body["model"], system, body.get("output_config")])
        marked = any("cache_control" in block for block in body.get("system", [])) and tokens(prefix) >= CACHED_FROM_TOKENS
        known = prefix in self._cached
        if marked:
            self._cached.add(prefix)
        return {
            "input_tokens": tokens(user) if marked else tokens(user) + tokens(prefix),
            "output_tokens": spent,
            "cache_creation_input_tokens": tokens(prefix) if marked and not known else 0,
            "cache_read_input_tokens": tokens(prefix) if marked and known else 0,
            "service_tier": "standard",
        }

    def _model(self, name: str) -> Reply:
        if not name.startswith("claude-"):
            return self.error(404, "not_found_error", f"model: {name}")
        kinds = THINKING.get(name)
        types = {kind: supports(kind in (kinds or {"disabled"})) for kind in ("adaptive", "between_tools", "disabled", "enabled")}
        efforts = {level: supports(kinds is not None) for level in ("low", "medium", "high", "xhigh", "max")}
        plain = ("batch", "citations", "code_execution", "image_input", "pdf_input", "structured_outputs")
        capabilities = {name: supports(True) for name in plain} | {
            "context_management": supports(True),
            "effort": supports(kinds is not None) | efforts,
            "server_tools": supports(True) | {"code_execution": supports(True), "web_search": supports(True)},
            "thinking": supports(kinds is not None) | {"types": types},
        }
        about: dict[str, Any] = {
            "id": name,
            "type": "model",
            "display_name": name.replace("-", " ").title(),
            "created_at": "2026-10-07T00:00:00Z",
        }
        about |= {"lifecycle": self.lifecycle, "retires_at": self.retires_at, "max_input_tokens": 1_000_000}
        return Reply.of(about | {"max_tokens": 128_000, "capabilities": capabilities})


def supports(it: bool) -> dict[str, Any]:
    return {"supported": it}


def tokens(text: str) -> int:
    return len(text) // 3


def complaint(body: Any) -> str:
    """What the real one would find wrong; empty for nothing."""
    if not isinstance(body, dict) or not {"model", "max_tokens", "messages"} <= body.keys():
        return "model, max_tokens, messages: Field required"
    if unknown := sorted(body.keys() - BODY):
        return f"{unknown[0]}: Extra inputs are not permitted"
    model, thinking, config = body["model"], body.get("thinking"), body.get("output_config", {})
    kinds = THINKING.get(model)
    if thinking and thinking["type"] not in (kinds or {"disabled"}):
        return f'"thinking.type.{thinking["type"]}" is not supported for this model.'
    if config.get("effort") and kinds is None:
        return "This model does not support the effort parameter."
    form = config.get("format")
    return schema_complaint(form["schema"]) if form else ""


def schema_complaint(schema: Any) -> str:
    if unknown := sorted(schema.keys() - TAKEN):
        return f"output_config.format.schema: For '{schema.get('type')}' type, property '{unknown[0]}' is not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *[part for part in [schema.get("items")] if part]]
    return next((found for part in parts if (found := schema_complaint(part))), "")
