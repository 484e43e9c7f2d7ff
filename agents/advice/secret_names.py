"""Secrets that stand beside their name: `password=x`, `"apiKey": "x"`, `--token x`, `PASSWORD 'x'`, `<secret>x</secret>`.

How sure a name is decides what is taken for its value: after `password` anything is; after `token` or `secret` not what reads as prose;
after `auth` or `sig` only what looks like a secret by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from agents.advice.spans import Span, lowered

STRONG, MEDIUM, WEAK, CODE = "strong", "medium", "weak", "code"
LOCATE = re.compile(
    "pass|pwd|psswd|kennwort|contrase|senha|mot[_-]de|пароль|密码|secret|key|connection|signature|token|psk|community|cred|session|sessid|sid"
    "|csrf|xsrf|auth|sig|salt|nonce|code|hmac|otp|mfa|2fa|cvv|cvc|pin|pw|[?&;](?:app_?id|tk)"
)
"""Part of every name below; a quick look that most words do not pass."""
NAME = re.compile(
    r"""(?ix)
    (?:
      (?P<strong> pass(?:word|wort|wd|phrase|code|key) | passw | pwd | psswd | kennwort | contrase(?:ñ|n)a | senha
        | mot[_-]de[_-]passe | пароль | 密码 | (?:secret|private)[_-]?(?:access[_-]?)?key(?:[_-]?base)?
        | (?:client|shared|app|consumer|application|webhook|jwt|hmac|cookie|session)[_-]?secret | connection[_-]?string
        | (?:shared[_-]?)?access[_-]?key | account[_-]?key | shared[_-]?access[_-]?signature | security[_-]?token
        | (?:encryption|signing|master|symmetric|cipher|crypt|hmac|license|storage|ssh|admin|deploy|root)[_-]?key
        | (?:snmp|ro|rw)[_-]?community | (?<![a-z])psk )
    | (?P<medium> secret | token | api[_-]?key | credentials? | (?<![a-z])creds? | access[_-]?key[_-]?id | jsessionid | phpsessid
        | session[_-]?(?:id|key) | sessid | aspsessionid\w{0,12} | (?<![a-z])pass | (?<![a-z])pw | (?<=[a-z0-9])(?-i:Pass) | csrf | xsrf )
    | (?P<weak> (?<![a-z])auth | (?<=[a-z0-9])(?-i:Auth)
        | (?<![a-z])sid | (?<![a-z])sig | signature | (?<![a-z])salt | (?<![a-z])nonce
        | (?:auth(?:orization)?|routing|integration|service|app|application|client|data|consumer|write|ingest|subscription|user
            |maps)[_-]?key
        | [?&;](?:key|code|appid|app_id|tk) | (?<![a-z])hmac | x-(?:amz|goog)-(?:credential|signature) )
    | (?P<code> (?<![a-z])(?:otp|totp|mfa|2fa|cvv2?|cvc2?|pin)(?:[_-]?(?:code|number))? | pincode | one[_-]?time[_-]?(?:code|password) )
    )
    (?: [_-]?(?:hash(?:ed)?|digest|value|plain(?:text)?|text|b64|base64|encoded|enc(?:rypted)?|old|new|current|prod(?:uction)?|staging|dev
        |test|primary|secondary|default|main|string|[0-9]{1,3}) ){0,2} \Z
    """
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
IDENTIFIER = LETTERS + "."
LONGEST_NAME = 64
RUN = re.compile(rf"[\w-]{{0,{LONGEST_NAME}}}+")
SECOND_WORDS = frozenset({"key", "string", "code", "id", "token", "secret", "passe", "access", "password"})
FIRST_WORD = re.compile(r"([A-Za-z]{2,14})[ .]\Z")
GAP = r"[\"'`\\\])]{0,8}"
AFTER = re.compile(
    rf"""(?ix) (?:
      (?P<pair> {GAP} [ \t]{{0,40}}+ ,? \s{{0,20}}+ [\"'\\]{{0,6}} [\w.-]{{0,32}}? value [\"'\\]{{0,6}} [ \t]{{0,8}} [:=] [ \t]{{0,8}} )
    | (?P<arrow> {GAP} [ \t]{{0,40}}+ (?: => | -> | := | := | === | == | = (?!=) ) [ \t]{{0,8}} )
    | (?P<colon> {GAP} [ \t]{{0,40}}+ : (?!:) [ \t]{{0,40}} )
    | (?P<tag> > )
    | (?P<is> {GAP} [ \t]{{1,4}} (?: is | was | to | set[ ]to | changed[ ]to ) [ \t]{{1,4}} )
    | (?P<space> {GAP} [ \t,]{{1,4}} )
    )"""
)
KEY_FOLLOWS = re.compile(r"[\"'`\\]{1,8}\s{0,4}:")
QUOTE = re.compile(r"(\\{0,16})([\"'`])")
WORD = re.compile(
    r"""(?x) (?:
      [^\s"'`,;&|)\]}<>\\]
    | [,;&|] (?! \s | $ | [\w.-]{1,40}+ \s? [=:] | ["'\\] )
    | [)\]}] (?! [\s,;.)\]}"'\\] | $ )
    | ['`] (?! [\s,;)\]}] | $ ) | [<>] (?! / )
    | \\ (?! \\*["'] )
    )++"""
)
TAGGED = re.compile(r"[^<\r\n]{1,4096}+")
LIST = re.compile(r"[^\]\r\n]{1,4096}+")
BRACED = re.compile(r"\{[^}\r\n]{1,1024}+\}")
BLOCK = re.compile(r"[|>][+-]?[ \t]*+\n[ \t]++([^\n]++)")
REST = re.compile(r"[^\r\n\"]++")
NO_SECRET = re.compile(
    r"""(?ix) \$\{.*+ | \{\{.*+ | \$\(.*+ | \$[A-Z_]{2,}[0-9]? | <[a-z _-]*>? | \*+ | x{3,} | \.{2,} | %\(?\w*\)?[sdv] | -+ | \W{0,2}
    | env:.*+ | file:.*+ | vault: .*+ | \[?(?:redacted|removed|hidden|masked|filtered|secret|omitted)\]? | op://.*+ | secretref.*+ """
)
WORDS_OF_PROSE = """absent access again already and any are argument at auth authentication available bad be been being by cache can cannot
    change changed check configured contains could count denied did does empty error errors exceeded expected expires expired expiry false
    field file for found from given grant has have header holder if in incorrect invalid is issue issuer it key length limit malformed
    may mismatch missing must name needed nil no none not null of off ok on or out policy prompt provided received refresh refreshed
    rejected request required requires reset response returned revoked rotate rotated rotation server service set should signature
    store string that the this to token too true type unauthorized undefined unexpected unknown unset update updated used user
    username valid validation value verification via was were when will with without wrong yes you your failed failure fails bearer
    basic denial disabled enabled success successful succeeded ttl lookup age"""
PROSE = frozenset(WORDS_OF_PROSE.split())
SENTENCE_NAME = re.compile(r"[A-Z]?[a-z]+")
LOWER = re.compile(r"[a-z]+[.,;:!?]?")
MORE_PROSE = re.compile(r"[ \t]{1,4}[A-Za-z]")
SQL = re.compile(
    r"""(?ix) (?: identified \s{1,8} by (?:\s{1,8} password)? | password ) (?: \s{1,8}+ | \s{0,8}+ \( \s{0,8}+ ) ['"]
    (?P<secret> [^'"\r\n]{1,1024}+ )"""
)


def named(text: str) -> Iterator[Span]:
    low = lowered(text)
    at = 0
    while (hit := LOCATE.search(low, at)) is not None:
        run = RUN.match(text, hit.end())
        end = run.end() if run is not None else hit.end()
        at = end
        start = left_end(text, hit.start(), LETTERS)
        sure = classify(whole_name(text, start, end)) if end - start <= LONGEST_NAME else None
        after = AFTER.match(text, end) if sure is not None else None
        value = value_after(text, start, str(sure), after) if after is not None else None
        if value is None or after is None:
            continue
        at = max(at, value[1])
        how = str(after.lastgroup)
        if how == "colon" and (text[after.end() - 1] == ":" or SENTENCE_NAME.fullmatch(text, start, end) is None):
            how = "arrow"  # no blank after it, or a name of several words: no sentence
        elif how in ("is", "space") and flag(text, start):
            how = "option"
        if is_secret(text, value, str(sure), how):
            yield Span(value[0], value[1], "password" if sure in (STRONG, CODE) else "secret")
    yield from in_sql(text)


def left_end(text: str, at: int, letters: str) -> int:
    left = text[max(0, at - LONGEST_NAME) : at]
    return at - len(left) + len(left.rstrip(letters))


def whole_name(text: str, start: int, end: int) -> str:
    """The name, with the words before it that belong to it (`secret access key`), or the mark of a URL's query."""
    name = text[start:end]
    for _ in range(2):
        if name.lower().split("_", 1)[0] not in SECOND_WORDS:
            break
        first = FIRST_WORD.search(text[max(0, start - 16) : start])
        if first is None:
            break
        start -= len(first[0])
        name = f"{first[1]}_{name}"
    return text[start - 1] + name if start and text[start - 1] in "?&;" else name


@lru_cache(maxsize=4096)
def classify(name: str) -> str | None:
    """How sure it is that what stands beside `name` is a secret."""
    found = NAME.search(name)
    return found.lastgroup if found is not None else None


def in_sql(text: str) -> Iterator[Span]:
    for match in SQL.finditer(text):
        yield Span(*match.span("secret"), "password")


Value = tuple[int, int, bool]
"""Start, end, and whether it was in quotes."""


def value_after(text: str, name: int, sure: str, after: re.Match[str]) -> Value | None:
    start, how = after.end(), after.lastgroup
    if how == "tag":
        inside = TAGGED.match(text, start) if opened(text, name) else None
        return None if inside is None else (*inside.span(), True)
    if how in ("space", "is") and sure not in (STRONG, MEDIUM) and not flag(text, name):
        return None
    quote = QUOTE.match(text, start)
    if quote is not None:
        end = closing(text, quote)
        if how == "space" and KEY_FOLLOWS.match(text, end) is not None:
            return None  # the name was a value itself: `"name": "DB_PASSWORD", "param_value": ...`
        return (quote.end(), end, True)
    if how in ("arrow", "colon"):
        many = LIST.match(text, start + 1) if text.startswith("[", start) else None
        if many is not None:
            return (*many.span(), True)
        block = BLOCK.match(text, start)
        if block is not None:
            return (*block.span(1), True)
        braced = BRACED.match(text, start) if how == "arrow" else None
        if braced is not None:
            return (*braced.span(), True)
    word = WORD.match(text, start)
    if word is None:
        return None
    if how == "colon" and sure == STRONG and begins_line(text, name) and whole_line(text, word):
        rest = REST.match(text, start)
        if rest is not None:
            return (start, start + len(rest[0].rstrip()), False)
    end = word.end()
    while end > start + 1 and text[end - 1] in ".,;:!?":
        end -= 1
    return (start, end, False)


def closing(text: str, quote: re.Match[str]) -> int:
    """Where a quoted value ends: at the quote that is escaped as the opening one is, or at the end of the line."""
    depth, mark = len(quote[1]), quote[2]
    at = quote.end()
    stop = text.find("\n", at)
    stop = len(text) if stop < 0 else stop
    while True:
        found = text.find(mark, at, stop)
        if found < 0:
            return stop
        slashes = found - len(text[quote.end() : found].rstrip("\\")) - quote.end() if text[found - 1] == "\\" else 0
        if slashes <= depth if depth else slashes % 2 == 0:
            return found - min(slashes, depth)
        at = found + 1


def opened(text: str, start: int) -> bool:
    """Whether the name at `start` is that of an XML element."""
    at = left_end(text, start, IDENTIFIER + ":")
    return text[max(0, at - 1) : at] == "<"


def flag(text: str, start: int) -> bool:
    """Whether the name at `start` is that of a command's option."""
    return text.startswith("-", left_end(text, start, IDENTIFIER))


def begins_line(text: str, start: int) -> bool:
    left = text[max(0, start - 100) : start].rstrip(IDENTIFIER).rstrip(" \t-")
    return (start <= 100 and not left) or left.endswith("\n")


def whole_line(text: str, word: re.Match[str]) -> bool:
    """Whether the rest of the line is short and has no mark of a second name: a pass phrase in YAML."""
    rest = REST.match(text, word.end(), word.end() + 80)
    return rest is not None and not re.search(r"[=:({#]", rest[0]) and len(rest[0]) < 60


def is_secret(text: str, found: Value, sure: str, how: str) -> bool:
    start, end, quoted = found
    plain = text[start:end].strip().rstrip(".,;:!?")
    low = plain.lower()
    if NO_SECRET.fullmatch(plain) is not None or low in PROSE or (not quoted and low.split(" ", 1)[0] in PROSE):
        return False
    if sure == CODE:
        return how in ("arrow", "colon", "pair", "tag") and plain.isdigit() and 3 <= len(plain) <= 8
    if how in ("is", "space") and not (quoted and sure == STRONG):
        return sure != WEAK and random_looking(plain)
    if sure == STRONG:
        return True
    if sure == WEAK:
        return len(plain) >= 8 and (random_looking(plain) or len(plain) >= 32) and not plain.isdigit()
    if plain.isdigit() or len(plain) < 4:
        return len(plain) >= 6
    prose = how == "colon" and not quoted and LOWER.fullmatch(text, start, end) is not None and MORE_PROSE.match(text, end) is not None
    return not prose


def random_looking(word: str) -> bool:
    """Letters with digits or marks, as passwords are and words are not; names of the form `checkout-tls-2024` are not."""
    if len(word) < 6 or ("/" in word and word.startswith(("/", "."))):
        return False
    digits = any(letter.isdigit() for letter in word)
    letters = any(letter.isalpha() for letter in word)
    named = word.islower() and re.fullmatch(r"[a-z]+[0-9]{0,4}(?:[-_.][a-z0-9]{1,12})+", word) is not None
    marks = any(letter in "!@#$%^&*+=~?" for letter in word)
    return letters and (digits or marks) and not named
