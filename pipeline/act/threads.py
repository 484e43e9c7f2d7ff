"""Blocking calls beside the loop, on threads that never keep the process from leaving."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def beside(call: Callable[[], Result], name: str) -> Result:
    """The result of `call`, run on a thread of its own. When cancelled the thread goes on; the caller bounds how many there are."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future


def seen(task: asyncio.Task[Result]) -> asyncio.Task[Result]:
    """The task, marked so that an error nobody waits for any more is not reported as forgotten."""
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
