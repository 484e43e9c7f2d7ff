"""Telephone numbers. With `+` and a country always; as they are written in a country only where they are grouped as telephones are, or
where a word says that one follows: times, ids, counts and versions are digits too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.advice.spans import Span, lowered

COUNTRY = (
    "1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]"
    "|8[0578][0-9]|9[679][0-9]"
)
"""Codes of countries (E.164)."""
MARK = r"[ .()/\u00a0-]{0,2}"
ENDS = r"(?![\w:]|[.,-][0-9]|%)"
INTERNATIONAL = re.compile(rf"(?<![\w.+])(?P<number>(?:\(?\+{MARK}|00[ ]?(?=[1-9]))(?P<country>{COUNTRY})\)?(?:{MARK}[0-9]){{6,13}}){ENDS}")
AMERICAN = re.compile(
    rf"(?<![\w.+-])(?P<number>(?:\+?1[ .-])?(?:\([2-9][0-9]{{2}}\)[ -]?|[2-9][0-9]{{2}}-)[2-9][0-9]{{2}}[ .-][0-9]{{4}}){ENDS}"
)
NATIONAL = re.compile(
    rf"""(?x) (?<![\w.,:+/(-]) (?P<number> \(?(?P<area>0[1-9][0-9]{{1,4}})\)? (?:
      [ ]?[/-][ ]? [0-9]{{5,9}} | [ ] [0-9]{{5,9}} | [ ] [0-9]{{3,4}}[ -][0-9]{{3,4}} | (?<=\)) [0-9]{{5,9}} )
    | 0[1-9](?:[ .][0-9]{{2}}){{4}} (?![ .][0-9a-f]{{2}}\b) ) {ENDS}"""
)
RIGHTS = "0400 0440 0444 0500 0550 0555 0600 0640 0644 0660 0664 0666 0700 0711 0750 0755 0770 0775 0777"
MODES = frozenset(RIGHTS.split())
"""Rights of files, which sizes follow."""
SURE = """phone|tel(?![a-z])|telefon|mobil|cell(?![a-z])|fax|sms|msisdn|imsi|imei|supi|gpsi|iccid|whatsapp|rufnummer|handy
|t[ée]l[ée]phone|tel[ée]fono|telefone|telefoon|телефон|电话|電話|手机|전화|hotline|puhelin|cellulare|komórk"""
UNSURE = "call(?![a-z])|dial(?![a-z])|reach(?![a-z])|contact|anruf|erreich|appel|llam|pager|number|nummer|numéro|número|номер"
HINT = re.compile(f"(?<![a-z])(?:(?P<sure>{SURE})|{UNSURE})".replace("\n", ""))
BETWEEN = re.compile(r"(?i)[a-z]*[\W_]*(?:(?:number|nummer|nr|no|is|ist|est|es|at|on|me|us|der|des|von|of|app|kunden?|service)[\W_]+){0,4}")
"""What may stand between such a word and a number that is not grouped."""
NAMED = re.compile(
    r"""(?ix) (?<![a-z]) (?: phone | telephone | tel | mobile | cell | fax | sms | msisdn | imsi | imei | supi | gpsi | iccid | whatsapp )
    (?: [_ -]?(?:number|no\.?|nr\.?) )? ["'\\]{0,4} [\s:="'\\-]{1,6} (?P<number> \+?[0-9(][0-9 ()./-]{5,20}[0-9] ) (?! [\w:] | \.[0-9] )"""
)
AFTER_WORD = re.compile(r"[^\d\n+({\[]{0,40}?(?<![\w.,:+-])(?P<number>\(?[0-9][0-9 ()./-]{5,20}[0-9])(?![\w:%]|[.,-][0-9])")
DATE_OR_ADDRESS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}.*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
UNIT = re.compile(r"(?i)[ ]?(?:ms|s|us|ns|[kmgt]i?b|bytes?|times|requests?|messages?|seconds?|minutes?|errors?|events?|calls?|rows?)\b")


def phones(text: str) -> Iterator[Span]:
    if "+" in text or "00" in text:
        for match in INTERNATIONAL.finditer(text):
            if international(match):
                yield Span(*match.span("number"), "phone")
    for match in AMERICAN.finditer(text):
        yield Span(*match.span("number"), "phone")
    if "0" in text:
        for match in NATIONAL.finditer(text):
            if match["area"] not in MODES and 9 <= digits(match["number"]) <= 12:
                yield Span(*match.span("number"), "phone")
    low, at = lowered(text), 0
    while (hint := HINT.search(low, at)) is not None:
        at = hint.end()
        named = NAMED.match(text, hint.start())
        if named is not None and digits(named["number"]) >= 7:
            yield Span(*named.span("number"), "phone")
            continue
        found = AFTER_WORD.match(text, hint.end())
        if found is not None and UNIT.match(text, found.end()) is None and dialled(text[hint.end() : found.start("number")], found, hint):
            yield Span(*found.span("number"), "phone")


def digits(number: str) -> int:
    return sum(map(str.isdigit, number))


def international(match: re.Match[str]) -> bool:
    """Numbers of North America and Russia have eleven digits; a plain count with a plus sign before it has other lengths."""
    number, country = match["number"], match["country"]
    plus = "+" in number
    size = digits(number) - (0 if plus else 2)
    marked = any(not letter.isdigit() for letter in number.lstrip("(+"))
    if country in ("1", "7"):
        return size == 11 and (plus or marked)
    return 9 <= size <= 15 and (marked if not plus else marked or size >= 10)


def dialled(between: str, found: re.Match[str], hint: re.Match[str]) -> bool:
    """Whether the number after a word is a telephone's: after one that has other meanings too it must be grouped or begin with 0."""
    number = found["number"]
    if DATE_OR_ADDRESS.fullmatch(number) is not None or not 7 <= digits(number) <= 15:
        return False
    marked = not number.isdigit()
    if hint["sure"] is not None:
        return marked or (len(number) <= 12 and BETWEEN.fullmatch(between) is not None)
    return number[0] in "0(" or (marked and "." not in number and digits(number) >= 9)
