"""What happened, read back: incidents, and why somebody was (not) told. From PostgreSQL, or from the topics while it is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query

from pipeline.api.answers import Explained, IncidentDetail, Incidents
from pipeline.history.base import History, HistoryUnavailable
from pipeline.history.choose import Choice
from pipeline.history.explain import explain
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.incident import Incident

Found = TypeVar("Found")

AT_ONCE = 4
"""Questions in work; one that reads topics may take 15 s and 30 MB."""
WAITING = 32
REMEMBER_S = 15.0
"""How long the choice of a history holds: a PostgreSQL that is away costs 5 s to find out."""


class Archive:
    """Asks the history that answers, in threads of its own, so that a slow answer holds up no alert."""

    def __init__(self, choose: Callable[[], Choice]) -> None:
        """`choose` may block for some seconds."""
        self._choose = choose
        self._threads = ThreadPoolExecutor(AT_ONCE, "api-history")
        self._lock = threading.Lock()
        self._choice: Choice | None = None
        self._chosen_at = 0.0
        self._asked = 0

    async def ask(self, question: Callable[[History], Found]) -> tuple[str, Found]:
        """The source of the answer, in words, and the answer. Raises HistoryUnavailable; a retry may help."""
        if self._asked >= WAITING:
            raise HistoryUnavailable("too many questions at once")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)
        finally:
            self._asked -= 1

    def _answer(self, question: Callable[[History], Found]) -> tuple[str, Found]:
        history = self._current(anew=False)
        try:
            answer = question(history)
        except HistoryUnavailable:
            history = self._current(anew=True)
            answer = question(history)
        return history.source, answer

    def _current(self, *, anew: bool) -> History:
        with self._lock:
            if self._choice is None or anew or time.monotonic() - self._chosen_at > REMEMBER_S:
                self._choice = self._choose()
                self._chosen_at = time.monotonic()
            return self._choice.history

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def routes(archive: Archive, prefix: str) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["incidents"])

    @router.get("/incidents", response_model=Incidents)
    async def incidents(
        open_only: Annotated[bool, Query(alias="open", description="Only those that have not ended")] = False,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Incidents:
        """Latest revisions, the one that changed last first."""
        source, found = await archive.ask(lambda history: history.incidents(open_only, limit))
        return Incidents(source=source, incidents=found)

    @router.get("/incidents/{incident_id}", response_model=IncidentDetail)
    async def incident(incident_id: Annotated[str, Path(min_length=1, max_length=100)]) -> IncidentDetail:
        """One incident with the newest 200 decisions about its alerts, what became of each message about it, and what models said."""
        source, found = await archive.ask(lambda history: about(history, incident_id))
        if found is None:
            raise HTTPException(404, f"no incident {incident_id!r} in {source}")
        row, decisions, deliveries, advice = found
        return IncidentDetail(source=source, incident=row, decisions=decisions, deliveries=deliveries, advice=advice)

    @router.get("/explain/{subject:path}", response_model=Explained, tags=["alerts"])
    async def explained(subject: Annotated[str, Path(min_length=1, max_length=200)]) -> Explained:
        """Why somebody was told, or not. `subject`: id of an alert, incident or dead letter (`d0-17`), or a place (`alerts.raw/0/17`)."""
        source, found = await archive.ask(lambda history: explain(history, subject, prefix))
        if not found:
            raise HTTPException(404, f"nothing is known of {subject!r} in {source}")
        return Explained(source=source, explanations=found)

    return router


def about(history: History, incident_id: str) -> tuple[Incident, list[Decision], list[Receipt], list[Receipt]] | None:
    row = history.incident(incident_id)
    if row is None:
        return None
    return row, history.decisions_of(incident_id, 200), history.deliveries(incident_id), history.advice_of(incident_id)
