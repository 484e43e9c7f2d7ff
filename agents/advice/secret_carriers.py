"""Secrets in commands that take one by another way than an option of its own, in Kubernetes Secrets, and in tables of parameters, where
the name of a secret and its value are two values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.advice.secret_names import MEDIUM, NO_SECRET, PROSE, QUOTE, STRONG, classify, closing
from agents.advice.spans import Span

VALUE = re.compile(r"[^\s\"'`<>]{1,256}")
SQL = re.compile(
    r"(?i)identified\s{1,8}(?:with\s{1,8}[\w'\"`]{1,40}\s{1,8})?(?:by|as)\s{1,8}"
    r"(?:values\s{1,8}|password\s{1,8})?(?P<secret>[^\s'\"`,;()\\]{1,256})"
)
NO_PASSWORDS = PROSE | {"a", "an", "its", "their", "his", "one", "externally", "globally"}
SQL_BEFORE = re.compile(r"(?i)\b(?:create|alter|grant)\b")
LITERAL = re.compile(r"--from-literal(?:=|\s{1,4}|[\"',]{1,4})(?P<quote>[\"'\\]{0,4})[\w.-]{1,253}=(?P<inner>[\"'\\]{0,4})")
UP_TO = {quote: re.compile(rf"[^{quote}\r\n]{{1,1024}}") for quote in "\"'"}
NET_USE = re.compile(r"(?i)\bnet\s{1,4}use\b")
NET_USER = re.compile(r"(?i)/u(?:ser)?:\S{1,128}[ \t]{1,4}(?P<secret>[^\s/*\"'][^\s\"']{0,127})")
NET_FIRST = re.compile(r"(?i)\\\\[^\s]{1,256}[ \t]{1,4}(?P<secret>[^\s/*\"'][^\s\"']{0,127})[ \t]{1,4}/")
PIPED = re.compile(
    r"""(?ix) (?<![\w-]) (?:echo|printf|print|write-output) [ \t]{1,4} (?:-[neE]{1,3}[ \t]{1,4})?
    (?:['\"]?%s(?:\\\\?n)?['\"]?[ \t]{1,4})? [\"'\\]{0,4}
    (?P<secret> [^\"'|\n\\$][^\"'|\n\\]{0,200}? ) [\"'\\]{0,4} [ \t]{0,4} \|
    [^|\n]{0,120}? (?: --?\w{0,12}-?stdin\b | \blogin\b | \bsudo[ \t]{1,4}-\w{0,4}S | \bch?passwd\b | \bsecret\b | \bkinit\b
      | \bcryptsetup\b | \bgpg\b )"""
)
MANIFEST = re.compile(r"(?i)[\"'\\]{0,4}\bkind[\"'\\]{0,4}\s{0,4}:\s{0,4}[\"'\\]{0,4}(?:sealed|external)?secret(?:list)?\b")
DATA = re.compile(r"(?<![\w-])(?P<string>stringData|data)[\"'\\]{0,4}\s{0,4}:\s{0,8}\{?")
ENTRY = re.compile(
    r"[\s,]{0,80}[\"'\\]{0,4}"
    r"(?!(?:kind|metadata|type|apiVersion|immutable|stringData|data)[\"'\\]{0,4}\s{0,2}:)"
    r"[\w.-]{1,253}[\"'\\]{0,4}\s{0,2}:[ \t]{0,8}"
)
BASE64 = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}(?![^\s,}\"'\\…|\])<&])")
NAME_KEY = re.compile(
    r"""(?ix) (?<![\w.-]) [\w.-]{0,40}? (?:name|key|k|id|variable|parameter|env|label|field)
    [\"'\\]{1,6} \s{0,4} [:=] \s{0,4} [\"'\\]{1,6}
    (?P<name>[\w./-]{2,128}) [\"'\\]{1,6}"""
)
VALUE_KEY = re.compile(r"(?i)[\"'\\]{1,6}[\w.-]{0,40}(?:value|val|v|content|data|secret)[\"'\\]{1,6}\s{0,4}[:=]\s{0,4}(?=[\"'\\])")
NEAR = 400
OBJECT_END = re.compile(r"[}\n]")


def carried(text: str) -> Iterator[Span]:
    yield from commands(text)
    if MANIFEST.search(text) is not None:
        yield from manifests(text)
    yield from tables(text)


def commands(text: str) -> Iterator[Span]:
    for match in SQL.finditer(text):
        value = match["secret"].rstrip(".")
        loud = match[0].startswith("IDENTIFIED")
        statement = loud or SQL_BEFORE.search(text[max(0, match.start() - 160) : match.start()]) is not None
        if statement and value.lower() not in NO_PASSWORDS:
            yield Span(match.start("secret"), match.start("secret") + len(value), "password")
    for match in LITERAL.finditer(text):
        mark = (match["inner"] or match["quote"])[-1:]
        found = UP_TO.get(mark, VALUE).match(text, match.end())
        if found is not None and found[0].lower() not in PROSE and NO_SECRET.fullmatch(found[0]) is None:
            yield Span(found.start(), found.start() + len(found[0].rstrip("\\")), "secret")
    for match in NET_USE.finditer(text):
        for pattern in (NET_USER, NET_FIRST):
            found = pattern.search(text, match.end(), match.end() + 300)
            if found is not None:
                yield Span(*found.span("secret"), "password")
    if "|" in text:
        for match in PIPED.finditer(text):
            yield Span(*match.span("secret"), "password")


def manifests(text: str) -> Iterator[Span]:
    """Values of Kubernetes Secrets, in YAML, in JSON, and where line ends became blanks."""
    for block in DATA.finditer(text):
        at = block.end()
        while (entry := ENTRY.match(text, at)) is not None:
            quote = QUOTE.match(text, entry.end())
            if quote is not None:
                start, end = quote.end(), closing(text, quote)
                at = min(len(text), end + len(quote[0]))
            else:
                value = (VALUE if block["string"] == "stringData" else BASE64).match(text, entry.end())
                if value is None:
                    break
                start, end = value.span()
                end = start + len(text[start:end].rstrip(",}"))
                at = end
            if NO_SECRET.fullmatch(text[start:end]) is None:
                yield Span(start, end, "secret")


def tables(text: str) -> Iterator[Span]:
    """`{"param_name": "DB_PASSWORD", "param_value": "x"}`, in either order: the value is the secret."""
    for match in NAME_KEY.finditer(text):
        if classify(match["name"].rpartition("/")[2]) not in (STRONG, MEDIUM):
            continue
        stop = OBJECT_END.search(text, match.end(), match.end() + NEAR)
        after = VALUE_KEY.search(text, match.end() - 1, stop.start() if stop is not None else match.end() + NEAR)
        if after is None:
            left = max(text.rfind("{", max(0, match.start() - NEAR), match.start()), match.start() - NEAR, 0)
            befores = list(VALUE_KEY.finditer(text, left, match.start()))
            after = befores[-1] if befores else None
        quote = QUOTE.match(text, after.end()) if after is not None else None
        if quote is not None:
            value = text[quote.end() : closing(text, quote)]
            if value and NO_SECRET.fullmatch(value) is None and value.lower() not in PROSE:
                yield Span(quote.end(), quote.end() + len(value), "password")
