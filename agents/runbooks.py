"""Link runbooks: the top three that fit an alert, or none.

A name or a link that the alert itself gives decides; else BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over title, symptoms and
description, with the service as a tie-breaker. A score is the share of the query's weight that the runbook covers, in [0, 1].
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from schemas.runbook import Runbook, RunbookMatch

TOP = 3
FLOOR = 0.35
K1, B = 1.2, 0.75
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
COMMON = """the a an of on in is are was for to and or with at by from than above below over under high low alert alerts service host
more less not no has have its it this that been be as"""
STOP = frozenset(COMMON.split())
STEPS = 20


def words(text: str) -> list[str]:
    """Lower-case words; CamelCase and snake_case are taken apart."""
    return [word for found in WORD.findall(text) if (word := found.lower()) not in STOP and len(word) > 1]


class RunbookIndex:
    """Immutable; made anew when the runbooks change."""

    def __init__(self, runbooks: Iterable[Runbook] = ()) -> None:
        self.runbooks = list(runbooks)
        self.by_name = {plain(name): book for book in self.runbooks for name in [book.title, *book.alert_names]}
        self.by_link = {book.url.rstrip("/"): book for book in self.runbooks if book.url} | {
            book.runbook_id: book for book in self.runbooks
        }
        self.counts = [
            Counter(words(f"{book.title} {book.title} {' '.join(book.patterns)} {book.description} {' '.join(book.services)}"))
            for book in self.runbooks
        ]
        self.lengths = [sum(count.values()) for count in self.counts]
        self.mean = sum(self.lengths) / len(self.lengths) if self.lengths else 1.0
        seen = Counter(word for count in self.counts for word in count)
        size = len(self.runbooks)
        self.weight = {word: math.log(1 + (size - n + 0.5) / (n + 0.5)) for word, n in seen.items()}

    def match(self, *, name: str, service: str, text: str, hint: str) -> list[RunbookMatch]:
        scores: dict[str, float] = {}
        books = {book.runbook_id: book for book in self.runbooks}
        linked = self.by_link.get(hint.rstrip("/")) if hint else None
        named = self.by_name.get(plain(name))
        for book, score in ((linked, 1.0), (named, 0.95)):
            if book is not None:
                scores[book.runbook_id] = max(score, scores.get(book.runbook_id, 0.0))
        for position, score in self.ranked(words(f"{name} {name} {text} {service}")):
            book = self.runbooks[position]
            if book.services and service in book.services:
                score = min(0.9, score + 0.1)
            if score >= FLOOR:
                scores[book.runbook_id] = max(score, scores.get(book.runbook_id, 0.0))
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:TOP]
        return [
            RunbookMatch(id=one, title=books[one].title, score=round(score, 3), url=books[one].url, steps=books[one].steps[:STEPS])
            for one, score in best
        ]

    def ranked(self, query: list[str]) -> list[tuple[int, float]]:
        asked = Counter(query)
        unknown = math.log(1 + 2 * (len(self.runbooks) + 0.5))
        whole = sum(self.weight.get(word, unknown) * n * (K1 + 1) for word, n in asked.items()) or 1.0
        found = []
        for position, count in enumerate(self.counts):
            norm = K1 * (1 - B + B * self.lengths[position] / self.mean)
            total = sum(self.weight[word] * n * count[word] * (K1 + 1) / (count[word] + norm) for word, n in asked.items() if word in count)
            if total:
                found.append((position, total / whole))
        return found


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
