"""A fake of a server of OpenAI's chat completions, as vLLM answers: `POST /v1/chat/completions` (streaming) and `GET /v1/models`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.model_http import ModelServer, Reply, Request, generate


class FakeOpenAI(ModelServer):
    """`answer` gives the text in place of one that the schema allows. `rejects` names parameters that it answers with 400, as servers and
    models do that have no log-probabilities, say. `weights` are the probabilities of the digits of P1 to P4."""

    path = "/v1"

    def __init__(
        self, answer: Callable[[dict[str, Any]], str] | None = None, *, key: str = "", models: tuple[str, ...] = ("tiny",)
    ) -> None:
        super().__init__()
        self.answer = answer
        self.key = key
        self.models = models
        self.rejects: set[str] = set()
        self.weights: dict[str, float] = {"1": 0.05, "2": 0.6, "3": 0.2, "4": 0.05}
        self.finish: str | None = "stop"
        self.tells_usage = True
        self.error_after: int | None = None
        """Pieces after which the stream tells of an error."""

    async def reply(self, request: Request) -> Reply:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return self.error(401, "invalid_request_error", "Incorrect API key provided")
        if (request.method, request.path) == ("GET", "/v1/models"):
            listed = [{"id": name, "object": "model", "created": 1, "owned_by": "fake"} for name in self.models]
            return Reply.of({"object": "list", "data": listed})
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            return self.error(404, "NotFoundError", "Not Found")
        body = request.body
        if body["model"] not in self.models:
            return self.error(404, "NotFoundError", f"The model `{body['model']}` does not exist.")
        if taken := sorted(self.rejects & body.keys()):
            return self.error(400, "invalid_request_error", f"Unsupported parameter: '{taken[0]}'", param=taken[0])
        return Reply(200, "".join(f"data: {event}\n\n" for event in self._events(body)).encode(), "text/event-stream")

    def error(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None, param: str | None = None) -> Reply:
        return Reply.of({"error": {"message": message, "type": error, "param": param, "code": None}}, status, headers)

    def _events(self, body: dict[str, Any]) -> list[str]:
        form = body.get("response_format")
        asked = body["messages"][-1]["content"]
        text = (
            self.answer(body) if self.answer else json.dumps(generate(form["json_schema"]["schema"], asked)) if form else "Says the fake."
        )
        pieces = re.findall(r"\d|[^\W\d]+|\W+", text)
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10**6
        finish = "length" if len(pieces) > limit else self.finish
        events: list[str] = []
        for at, piece in enumerate(pieces[:limit]):
            if at == self.error_after:
                return [*events, json.dumps({"error": {"message": "engine died", "type": "InternalServerError", "code": 500}})]
            events.append(self._chunk(body, {"content": piece}, None, self._logprobs(piece) if body.get("logprobs") else None))
        if finish:
            events.append(self._chunk(body, {}, finish, None))
        if self.tells_usage and body.get("stream_options", {}).get("include_usage"):
            said = len(json.dumps(body["messages"])) // 4
            usage: dict[str, Any] = {"prompt_tokens": said, "completion_tokens": len(pieces), "total_tokens": said + len(pieces)}
            usage |= {"prompt_tokens_details": {"cached_tokens": said // 2}}
            events.append(json.dumps({**self._frame(body), "choices": [], "usage": usage}))
        return [*events, "[DONE]"] if finish else events

    def _frame(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

    def _chunk(self, body: dict[str, Any], delta: dict[str, Any], finish: str | None, logprobs: Any) -> str:
        return json.dumps({**self._frame(body), "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}]})

    def _logprobs(self, piece: str) -> dict[str, Any]:
        """As servers do: of the model, before the schema ruled anything out."""
        options = {**self.weights, "0": 0.1} if piece.isdigit() else {piece: 1.0}
        top = [{"token": token, "logprob": math.log(weight), "bytes": None} for token, weight in options.items() if weight > 0]
        return {"content": [{"token": piece, "logprob": math.log(options.get(piece, 1e-6)), "bytes": None, "top_logprobs": top}]}
