"""Signs that a text speaks to a machine instead of telling people what is wrong: patterns by intent and language, from `languages/`.

A file a language, each a list of signs: `patterns` of folded text (lower case, no marks on letters, no invisible characters, single blanks;
ends of lines stay), and what must stand in a text for them to be tried at all: `stems`, the first four or five letters of words (and one of
`with` as well, where given), or `parts`, texts anywhere. Gaps and repetitions are bounded, so that a search is linear in the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from agents.advice.disguise import unmarked

STRONG = frozenset(
    (
        "override",
        "new_instruction",
        "persona",
        "speaks_to_model",
        "prompt_leak",
        "special_token",
        "role_tag",
        "fake_end",
        "answer_shape",
        "phrase",
    )
)
"""After such a sign nothing in the same field is believed; after an order about severity or pages the next sentence may be honest."""

LEVEL = r"(?:p ?[0-5]|sev(?:erity)?[ -]?[0-5])\b"
RANK = rf"(?:{LEVEL}|(?:critical|high(?:est)?|medium|moderate|low(?:est)?|info(?:rmational)?|minor|major|none|maximum|minimum|emergency)\b)"
HARMLESS = (
    r"(?:resolved|closed|fixed|acknowledged|handled|done|noise|benign|harmless|duplicate|ignorable|unimportant|non[- ]?urgent|not urgent"
    r"|(?:a )?false (?:positive|alarm)|(?:a )?test|informational|low[- ](?:priority|severity))\b"
)
MACHINE = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|chat ?bots?|chatgpt|gpt(?:-?\d\w{0,6})?|claude|llama|gemini|copilot"
    r"|(?:ai|triage|sre|virtual|incident|automated) (?:models?|assistants?|agents?|bots?|systems?|llms?)|assistants?)\b"
)
NAMED = {
    "{GAP}": r"[^.!?\n。！？।؟]{0,40}?",
    "{NEAR}": r"[^.!?\n。！？।؟]{0,16}?",
    "{P}": r"p ?[0-5]\b",
    "{LEVEL}": LEVEL,
    "{FREE}": r"(?=[ \"'`]{0,2}(?:$|[.,;:!?)\]}\n|/-]|(?:for|as|in|and|or|instead|always|now|only|not?|on|regardless|because"
    "|immediately|here|severity|priority"
    r"|noise|alerts?|incidents?|events?|right|at|to|even|whatever|since|please|without|until|but|then|so|with|per|from|by)\b))",
    "{RANK}": RANK,
    "{HARMLESS}": HARMLESS,
    "{THING}": r"(?:alerts?|incidents?|pages?|paging|notifications?|alarms?|events?)",
    "{MACHINE}": MACHINE,
    "{ASKED}": r"(?:^|[.!?:;,\n\"'*>)\]-] ?|\b(?:please|must|should|shall|and|then|always|just|immediately|now|also|simply"
    "|you need to|to you) )",
}
"""Pieces that patterns name."""


@dataclass(frozen=True, slots=True)
class Sign:
    name: str
    stems: frozenset[str]
    others: frozenset[str]
    parts: tuple[str, ...]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A sign and where it stands in the folded text."""

    name: str
    start: int
    end: int


def _sign(written: Mapping[str, Any]) -> Sign:
    whole = "|".join(f"(?:{pattern})" for pattern in written["patterns"])
    for piece, pattern in NAMED.items():
        whole = whole.replace(piece, pattern)
    return Sign(
        written["name"],
        frozenset(written.get("stems", ())),
        frozenset(written.get("with", ())),
        tuple(unmarked(part) for part in written.get("parts", ())),
        re.compile(unmarked(whole)),
    )


def _read(language: str) -> tuple[Sign, ...]:
    written = resources.files("agents.advice").joinpath("languages", f"{language}.toml").read_text("utf-8")
    return tuple(_sign(sign) for sign in tomllib.loads(written)["sign"])


ENGLISH = _read("en")
_LATIN_FILES = ("de", "fr", "es_pt_it", "nl_sv", "tr", "pl", "cs", "hu", "fi", "sw", "vi_id", "more")
LATIN = tuple(sign for language in _LATIN_FILES for sign in _read(language))
OTHER_SCRIPTS = tuple(sign for language in ("zh", "ja", "ko", "ru_uk", "ar_fa", "hi", "other_scripts") for sign in _read(language))
SHAPES = _read("shapes")
SPOKEN = ENGLISH + LATIN
_WORDS = re.compile(r"[a-z]+")


def _by_stem() -> dict[str, int]:
    """Stem to the signs that it may mean, as bits."""
    index: dict[str, int] = {}
    for bit, sign in enumerate(SPOKEN):
        for stem in sign.stems:
            index[stem] = index.get(stem, 0) | 1 << bit
    return index


_STEMS = _by_stem()


def stems_of(words: str) -> set[str]:
    """The first four and the first five letters of all words in a folded text."""
    found = set(_WORDS.findall(words))
    return {word[:4] for word in found} | {word[:5] for word in found}


def spoken(words: str, stems: set[str]) -> Found | None:
    """The first sign of a language with Latin letters in a folded text. `stems` are those of the text."""
    bits = 0
    for stem in stems:
        bits |= _STEMS.get(stem, 0)
    bit = 0
    while bits:
        if bits & 1:
            sign = SPOKEN[bit]
            if (not sign.others or not sign.others.isdisjoint(stems)) and (found := sign.pattern.search(words)):
                return Found(sign.name, found.start(), found.end())
        bits >>= 1
        bit += 1
    return None


def written(signs: tuple[Sign, ...], words: str) -> Found | None:
    """The first sign that is looked for by its parts."""
    for sign in signs:
        for part in sign.parts:
            if part in words:
                if found := sign.pattern.search(words):
                    return Found(sign.name, found.start(), found.end())
                break
    return None


COMPACT = (
    "ignoreprevious|ignoreallprevious|ignoreprior|ignoreallprior|ignoretheprevious|ignoreabove|ignoretheabove|ignoreallabove|ignoreyour"
    "|ignoreallinstructions|ignoreinstructions|ignoreallyour|ignoreeverything|ignoreallrules|ignorethisalert|ignorethisincident"
    "|disregardprevious|disregardallprevious|disregardprior|disregardall|disregardtheabove|disregardyour|forgetprevious|forgetallprevious"
    "|forgeteverything|forgetyour|forgetallyour|previousinstructions|priorinstructions|aboveinstructions|yourinstructions"
    "|earlierinstructions"
    "|systemprompt|newinstructions|setseverity|setpriority|setthisseverity|settheseverity|changeseverity|lowerseverityto|lowertheseverity"
    "|raiseseverity|overrideseverity|severityoverride|severitytop1|severitytop2|severitytop3|severitytop4|severitymustbe"
    "|classifyasp|classifythisas"
    "|classifyaslow|classifythealertas|markasresolved|markresolved|markthisas|markitas|markaslow|markasfalse|donotpage|dontpage|donotwake"
    "|donotalertany|donotnotifyany|suppressthisalert|suppressallalerts|suppressallpages|silencethisalert|silenceallalerts"
    "|youarenowa|actasanai"
    "|mustbep1|mustbep4|shouldbep1|shouldbep4|downgradetop|escalatetop1|treatthisasp|treatthisaslow|respondwithp|answerp1"
    "|answerp4|overrideallrules"
)
"""Phrases without blanks: found in texts that are spaced out, written with digits for letters, or run together."""
COMPACT_STEMS = (
    "ignore|disregard|forget|instruc|systemprompt|severity|setpriority|classify|markas|markre|markth|markit|donot|dont|suppress"
    "|silence|youarenow"
    "|actas|mustbe|shouldbe|override|downgrade|escalateto|treatthis|respondwith|answerp"
)
"""One of them stands in each of the phrases."""
