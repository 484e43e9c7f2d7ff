"""Probabilities of labels, however a tokenizer cuts the answer."""

from __future__ import annotations

from math import log

import pytest

from pipeline.act.providers.labels import Token, probabilities

LABELS = ("P1", "P2", "P3", "P4")


def spread(*pieces: str | dict[str, float]) -> list[Token]:
    """Of a dict the first is what was said."""
    tokens = []
    for piece in pieces:
        options = piece if isinstance(piece, dict) else {piece: 1.0}
        said = next(iter(options))
        tokens.append(Token(said, log(options[said]), {text: log(share) for text, share in options.items()}))
    return tokens


@pytest.mark.parametrize(
    "tokens",
    [
        spread('{"severity":"P', {"2": 0.6, "1": 0.3, "4": 0.1}),
        spread("{", '"severity"', ': "', "P", {"2": 0.6, "1": 0.3, "4": 0.1}, '"'),
        spread('{"severity":', {' "P2"': 0.6, '"P1': 0.2, ' "P1",': 0.1, ' "P4': 0.1}),
        spread('{\n  "severity"', ":", ' "', {"P2": 0.6, "P1": 0.3, "P4": 0.1}, '","x"'),
        spread('{"severity":"P', {"2": 0.3, "1": 0.15, "4": 0.05, "banana": 0.4, "7": 0.1}),
        spread('{"severity":"', {"P": 0.9, "severe": 0.1}, {"2": 0.6, '1"': 0.3, "4": 0.1}),
    ],
    ids=["digit", "own tokens", "with quotes", "pretty printed", "nonsense dropped", "two steps"],
)
def test_shares_of_the_labels_at_the_token_that_decides(tokens: list[Token]) -> None:
    assert probabilities(tokens, LABELS) == pytest.approx({"P1": 0.3, "P2": 0.6, "P3": 0.0, "P4": 0.1})


def test_only_the_first_property_counts() -> None:
    assert probabilities(spread('{"other": ', "7", ', "severity": "P', {"2": 0.6, "1": 0.4}), LABELS) == {}


@pytest.mark.parametrize(
    ("tokens", "labels"),
    [
        ([], LABELS),
        (spread("no json P2"), LABELS),
        (spread('{"severity": "P', "urgent"), LABELS),
        (spread('{"severity": "P'), LABELS),
        (spread('{"severity": "P2"'), ()),
        (spread('{"severity": "P2"'), ("P2",)),
        (spread('{"severity": "P2"'), ("P", "P2")),
        ([Token('{"severity": "P2"', float("nan"))], LABELS),
    ],
)
def test_it_says_nothing_where_it_cannot_be_told(tokens: list[Token], labels: tuple[str, ...]) -> None:
    assert probabilities(tokens, labels) == {}


def test_what_was_said_counts_though_it_is_not_among_the_alternatives() -> None:
    token = Token("2", log(0.5), {"1": log(0.25)})
    assert probabilities([Token('{"severity": "P', 0.0), token], LABELS) == pytest.approx({"P1": 1 / 3, "P2": 2 / 3, "P3": 0.0, "P4": 0.0})
