"""Secrets that show what they are by their own form: private keys, keys of known vendors, webhooks, JSON web tokens.

Every expression begins with a literal and ends in its only unbounded part, so that none is tried twice on the same characters; a
literal that is not in the text costs one search for it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.advice.spans import Span


class Shape(NamedTuple):
    literals: tuple[str, ...]
    """One of them is in every text that the expression fits."""
    pattern: re.Pattern[str]


def shape(literals: str, pattern: str) -> Shape:
    return Shape(tuple(literals.split()), re.compile(pattern))


W = r"[A-Za-z0-9_-]"
AN = r"[A-Za-z0-9]"
NOT_AFTER = r"(?<![A-Za-z0-9])"

KEYS = (
    shape("AKIA ASIA AGPA AIDA AROA ANPA ANVA AIPA ABIA ACCA", r"(?<![A-Z0-9])A(?:KI|SI|GP|ID|RO|NP|NV|IP|BI|CC)A[A-Z0-9]{16,}+"),
    shape("AIza", rf"AIza{W}{{30,}}+"),
    shape("ya29.", r"ya29\.[A-Za-z0-9_.-]{10,}+"),
    shape("GOCSPX-", rf"GOCSPX-{W}{{16,}}+"),
    shape("1//0", rf"{NOT_AFTER}1//0{W}{{20,}}+"),
    shape("Q~", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{28,40}+"),  # Entra client secret
    shape("ghp_ gho_ ghu_ ghs_ ghr_", rf"gh[pousr]_{AN}{{16,}}+"),
    shape("github_pat_", r"github_pat_[A-Za-z0-9_]{16,}+"),
    shape(
        "glpat- glptt- gldt- glrt- glcbt- glft- glsoat- glimt- glagent- gloas- glffct-",
        r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas|ffct)-[A-Za-z0-9_.-]{12,}+",
    ),
    shape("xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp- xoxe.", r"(?:xox[abcdeoprs][-.]|xapp-)[A-Za-z0-9.%+/=-]{10,}+"),
    shape("k_live_ k_test_", rf"[srp]k_(?:live|test)_{AN}{{10,}}+"),
    shape("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}+"),
    shape("sk-ant-", rf"sk-ant-{W}{{12,}}+"),
    shape("sk-", rf"{NOT_AFTER}sk-(?=[a-z-]{{0,30}}[A-Z0-9])(?=[A-Za-z_-]{{0,60}}[0-9]){W}{{20,}}+"),
    shape("npm_", rf"npm_{AN}{{24,}}+"),
    shape("pypi-AgE", rf"pypi-AgE{W}{{16,}}+"),
    shape("SG.", rf"{NOT_AFTER}SG\.{W}{{16,}}+(?:\.{W}++)?"),
    shape("AC SK", rf"{NOT_AFTER}(?:AC|SK)[0-9a-f]{{32}}(?![0-9a-f])"),
    shape("key-", r"(?<![A-Za-z0-9_-])key-[0-9a-f]{32}(?![0-9a-f])"),
    shape("-us", r"(?<![0-9a-f])[0-9a-f]{32}-us[0-9]{1,2}(?![0-9])"),
    shape(".", r"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}+"),  # Discord bot
    shape(":AA", rf"(?<![0-9])(?:bot)?[0-9]{{8,10}}:AA{W}{{30,}}+"),  # Telegram bot
    shape("hf_", rf"{NOT_AFTER}hf_{AN}{{24,}}+"),
    shape("_v1_", r"do[opr]_v1_[0-9a-f]{32,}+"),
    shape("shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{24,}+"),
    shape("sq0", rf"sq0[a-z]{{3}}-{W}{{20,}}+"),
    shape("dapi", rf"{NOT_AFTER}dapi[0-9a-f]{{32}}(?:-[0-9])?"),
    shape("hvs. hvb. hvr.", rf"{NOT_AFTER}hv[sbr]\.{W}{{16,}}+"),
    shape("glsa_ glc_", rf"{NOT_AFTER}(?:glsa_[A-Za-z0-9_]{{24,}}+|glc_[A-Za-z0-9+/=]{{24,}}+)"),
    shape("NRAK- NRII- NRAL NRRA-", rf"NR(?:AK|II|RA)-[A-Za-z0-9_-]{{16,}}+|{NOT_AFTER}[0-9a-f]{{36}}NRAL"),
    shape("lin_api_ ntn_", rf"{NOT_AFTER}(?:lin_api_|ntn_){AN}{{24,}}+"),
    shape("ATATT3 ATCTT3 ATBB", r"(?:ATATT3|ATCTT3|ATBB)[A-Za-z0-9_=.-]{16,}+"),
    shape("dckr_pat_ dckr_oat_", rf"dckr_[po]at_{W}{{16,}}+"),
    shape(".atlasv1.", rf"{NOT_AFTER}[A-Za-z0-9]{{14}}\.atlasv1\.{W}{{20,}}+"),
    shape("sbp_", r"sbp_[0-9a-f]{32,}+"),
    shape("sntrys_ sntryu_", r"sntry[su]_[A-Za-z0-9+/=_]{24,}+"),
    shape("LTAI", rf"{NOT_AFTER}LTAI{AN}{{12,}}+"),
    shape("dp.pt. dp.st. dp.ct. dp.sa.", rf"{NOT_AFTER}dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{{24,}}+"),
    shape("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-[0-9A-Z]{16,}+"),
    shape("ops_eyJ", rf"ops_eyJ{W}{{24,}}+"),
    shape("HRKU-", rf"HRKU-{W}{{24,}}+"),
    shape("EAAA EAAC", rf"{NOT_AFTER}EAA[AC]{W}{{40,}}+"),
)
WEBHOOKS = (
    shape("hooks.slack", r"hooks\.slack(?:-gov)?\.com/[a-z]{1,20}/(?P<secret>[^\s\"'<>`|\\]++)"),
    shape("/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/(?P<secret>[^\s\"'<>`|\\]++)"),
    shape("webhook.office.com", r"webhook\.office\.com/webhookb2/(?P<secret>[^\s\"'<>`|\\]++)"),
    shape("chat.googleapis.com", r"chat\.googleapis\.com/v1/spaces/(?P<secret>[^\s\"'<>`|\\]++)"),
)
CUT = "…"
"""Ends a text that was cut to a length, and with it perhaps a secret."""
CUT_KEY = re.compile(
    r"""(?x) (?: (?<![A-Z0-9])A(?:KI|SI|GP|ID|RO|NP|NV|IP|BI|CC)A | AIza | ya29\. | GOCSPX-
    | gh[pousr]_ | github_pat_ | gl(?:pat|ptt|dt|rt)-
    | xox[abcdeoprs]- | xapp- | [srp]k_(?:live|test)_ | whsec_ | (?<![A-Za-z0-9])sk- | npm_ | pypi-Ag | (?<![A-Za-z0-9])SG\.
    | (?<![A-Za-z0-9])hf_ | (?<![A-Za-z0-9])hv[sbr]\. | glsa_ | dckr_pat_ | (?<![0-9])[0-9]{8,10}:AA | (?<![A-Za-z0-9_-])eyJ
    | AGE-SECRET-KEY- | do[opr]_v1_ | NR(?:AK|II|RA)- | (?<![A-Za-z0-9])(?:dapi|AC|SK)(?=[0-9a-f]{6,40}+…) | (?<=[A-Za-z0-9_~.-]{3})[0-9]Q~
    | (?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{22,27}\.(?=[A-Za-z0-9_-]{0,6}[.…]) )
    [A-Za-z0-9_.+/=-]{0,200}+ …"""
)
MARK = re.compile(r"-{4,5} ?(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{0,5}")
BODY = re.compile(
    r"(?:[\s\"',|>]|\\+[nrt]|(?:Proc-Type|DEK-Info|Version|Comment): ?[^\s\\\"']*|\\|[A-Za-z0-9+/=]{16,})*+(?:[A-Za-z0-9+/=]++)?"
)
"""Of a key without its end: the lines of it, and one shorter piece."""
LONGEST_PEM = 20_000
PIECE = re.compile(r"(?:(?!\\)\S)++")
LINE = re.compile(r"[nrt]?[A-Za-z0-9+/=]{16,}+")
JWT_RUN = re.compile(r"[A-Za-z0-9_=.-]*+")
JWT_PARTS = re.compile(r"eyJ[A-Za-z0-9_=-]{6,}+\.[A-Za-z0-9_=-]{4,}+(?:\.[A-Za-z0-9_=-]*+){0,3}+")


def shapes(text: str) -> Iterator[Span]:
    for literals, pattern in KEYS:
        if any(literal in text for literal in literals):
            for match in pattern.finditer(text):
                yield Span(*match.span(), "api_key")
    for literals, pattern in WEBHOOKS:
        if any(literal in text for literal in literals):
            for match in pattern.finditer(text):
                yield Span(*match.span("secret"), "webhook")
    if CUT in text:
        for match in CUT_KEY.finditer(text):
            yield Span(match.start(), match.end() - 1, "api_key")
    yield from private_keys(text)
    yield from web_tokens(text)


def private_keys(text: str) -> Iterator[Span]:
    """Whole, on one line, with escaped line ends, and cut off at either end."""
    if "PRIVATE KEY" not in text:
        return
    marks = list(MARK.finditer(text))
    at = 0
    for number, mark in enumerate(marks):
        if mark.start() < at:
            continue
        start, end = mark.span()
        if mark[1] == "END":
            start = body_before(text, max(at, start - LONGEST_PEM), start)
        else:
            following = marks[number + 1] if number + 1 < len(marks) else None
            if following is not None and following[1] == "END" and following.end() - start <= LONGEST_PEM:
                end = following.end()
            elif (body := BODY.match(text, end)) is not None:
                end = body.end()
        yield Span(start, end, "private_key")
        at = end


def body_before(text: str, reach: int, end: int) -> int:
    """Where the lines of a key begin whose end is at `end`."""
    start = end
    for piece in reversed(list(PIECE.finditer(text, reach, end))):
        if LINE.fullmatch(piece[0]) is None:
            break
        start = piece.start()
    return start


def web_tokens(text: str) -> Iterator[Span]:
    """JSON web tokens, also those cut off; a lone first part only where it says `alg`."""
    at = 0
    while (at := text.find("eyJ", at)) >= 0:
        run = JWT_RUN.match(text, at)
        end = run.end() if run is not None else at + 3
        parts = JWT_PARTS.match(text, at, end)
        if parts is not None or names_algorithm(text[at:end]):
            yield Span(at, end if parts is None else parts.end(), "jwt")
        at = end


def names_algorithm(word: str) -> bool:
    word = word[:400]
    try:
        head = base64.b64decode(word[: len(word) // 4 * 4].replace("-", "+").replace("_", "/"))
    except (binascii.Error, ValueError):
        return False
    return b'"alg"' in head or b'"kid"' in head
