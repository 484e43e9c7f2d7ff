"""Secrets that stand in a known place: HTTP headers, cookies, the user part of a URL, connection strings, options of known commands."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from agents.advice.spans import Span, lowered

SCHEMES = (
    "bearer|basic|token|apikey|api-key|digest|negotiate|ntlm|aws4-hmac-sha256|hawk|splunk|genie-?key|ssws|bot|key|jwt"
    "|sharedkey(?:lite)?|sharedaccesssignature"
)
AUTHORIZATION = re.compile(
    rf"""(?ix) authorization ["'\\\]\s]{{0,6}}+ (?: => | [:=,] ) [\s"'\\\[]{{0,8}}+ (?:(?P<scheme>{SCHEMES}) [\s:=]{{1,4}}+)?
    (?P<secret> [^\s"'\\`<>]{{3,}}+ )"""
)
REST_OF_HEADER = re.compile(r"[^\r\n\"'\\`<>]++")
WHOLE_SCHEMES = frozenset({"digest", "aws4-hmac-sha256", "hawk", "sharedkey", "sharedkeylite", "sharedaccesssignature"})
BEARER = re.compile(r"(?i)(?<![a-z])bearer[ \t\"':=\\]{1,4}+(?P<secret>[A-Za-z0-9._~+/=-]{8,}+)")
BASIC = re.compile(r"(?i)(?<![a-z])basic[\s:]{1,3}+(?P<secret>[A-Za-z0-9+/=_-]{6,}+)")
TOKEN_IS = re.compile(r"(?i)token token=[\"'\\]{0,4}(?P<secret>[^\s\"'\\]++)")
COOKIE = re.compile(
    r"(?i)(?P<set>set-)?cookie2?[\"'\\\]]{0,6}+\s{0,3}+(?:=>|[:=])[\s\"'\\\[]{0,8}+(?=[^\s=;]{1,64}=)(?P<secret>[^\r\n\"'\\`<>]++)"
)
SCHEME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-"
STOP = re.compile(r"[\s\"'`<>(){}|\\]")
AUTHORITY = re.compile(r"[^\s\"'`<>/?#|]{0,1024}+")
NO_PORT = re.compile(r":[^:]*[^0-9:][^:]*\Z")
CUT_PASSWORD = re.compile(r":(?![0-9]{1,5}…)[^:]*…\Z")
"""The text was cut before the `@`: what follows the colon is no port."""
LONGEST_USERINFO = 512
WEB = frozenset({"http", "https", "hxxp", "hxxps", "ws", "wss", "ftp"})
HOST_START = re.compile(r"(?:tcp|udp|unix)\(|\[?[A-Za-z0-9]")
BARE = re.compile(r"(?:\A|[\s\"'`=(\[{,;<>|])([A-Za-z][\w.+-]{0,63}:(?!/)[^\s\"'`<>(){}|:/]{3,128})\Z")
ORACLE = re.compile(r"(?i)(?:thin|oci8?|sqlplus[ \t]{1,4}):?(?P<secret>[^\s/@:]{1,64}/[^\s@]{1,128})@")
LINE, WORD = 300, 1024
COMMAND = re.compile(
    r"""(?ix) (?<![\w.-]) (?:
      (?P<p> mysql\w{0,12} | mariadb(?:-\w{1,12})? | sshpass | mongo\w{0,10} | (?:docker|podman|oc|az|skopeo)[ \t]{1,4}login | htpasswd
        | clickhouse-client | rabbitmqadmin | smbclient )
    | (?P<a> redis-cli | ldap\w{1,10} )
    | (?P<both> mosquitto_(?:pub|sub) )
    | (?P<user> curl | wget )
    | (?P<community> snmp\w{2,10} )
    | (?P<in> openssl )
    ) (?![\w.-]) """
)
NAMES_OF_COMMANDS = re.compile(
    "mysql|mariadb|sshpass|mongo|login|htpasswd|clickhouse-client|rabbitmqadmin|smbclient|redis-cli|ldap|mosquitto_|curl|wget|snmp|openssl"
)
ARGUMENT = r"[\"',\s=]{0,6}+(?P<secret>[^\s\"',])"
OPTIONS = {
    "p": re.compile(rf"(?<![\w-])-p{ARGUMENT}"),
    "a": re.compile(rf"(?<![\w-])-[aw]{ARGUMENT}"),
    "both": re.compile(rf"(?<![\w-])-P{ARGUMENT}"),
    "user": re.compile(r"(?<![\w-])(?:-u|--user|--proxy-user|-U)[\"',\s=]{0,6}+[^\s:\"',]{1,64}:(?P<secret>[^\s\"',])"),
    "community": re.compile(rf"(?<![\w-])-[cAX]{ARGUMENT}"),
    "in": re.compile(r"(?<![\w-])pass:(?P<secret>[^\s\"',])"),
}
ARGUMENT_WORD = re.compile(rf"(?:[^\s\"',\\]|\\(?!\\*+[\"'])){{1,{WORD}}}+")
GENERIC_P = re.compile(r"(?<![\w-])-p[ \t]{1,4}[\"']?(?P<secret>(?:[^\s\"'\\]|\\(?!\\*+[\"'])){6,128}+)")
NO_PASSWORD = re.compile(r"[0-9:/.,-]+(?:tcp|udp)?|[./~$].*|.*/.*|[a-z_.-]+[0-9]{0,2}|\d+:.*", re.S)


def places(text: str) -> Iterator[Span]:
    low = lowered(text)
    if "authorization" in low or "bearer" in low or "basic" in low or "token token" in low:
        yield from headers(text)
    if "cookie" in low:
        yield from cookies(text)
    if "://" in text:
        yield from userinfo(text)
    if "@" in text:
        yield from bare_userinfo(text)
    if NAMES_OF_COMMANDS.search(low) is not None:
        yield from commands(text)
    if "-p" in text:
        yield from any_option(text)


def headers(text: str) -> Iterator[Span]:
    for match in AUTHORIZATION.finditer(text):
        scheme, value = (match["scheme"] or "").lower(), match["secret"].rstrip(",;.")
        if value.startswith(("$(", "${", "$", "{{")):
            continue
        start = match.start("secret")
        if scheme in WHOLE_SCHEMES:
            rest = REST_OF_HEADER.match(text, start)
            yield Span(start, rest.end() if rest is not None else match.end(), "authorization")
        elif (scheme and not (value.isalpha() and value.islower() and len(value) < 16)) or (
            len(value) >= 8 and any(map(str.isdigit, value))
        ):
            yield Span(start, start + len(value), "authorization")
    for match in BEARER.finditer(text):
        value = match["secret"]
        if any(map(str.isdigit, value)) or (len(value) >= 20 and not value.islower()):
            yield Span(*match.span("secret"), "authorization")
    for match in BASIC.finditer(text):
        if user_and_password(match["secret"]):
            yield Span(*match.span("secret"), "authorization")
    for match in TOKEN_IS.finditer(text):
        yield Span(*match.span("secret"), "authorization")


def user_and_password(word: str) -> bool:
    """Whether `word` is base64 of `user:password`."""
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    try:
        told = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    user, colon, password = told.partition(":")
    return bool(colon and user and password) and told.isprintable() and " " not in user


def cookies(text: str) -> Iterator[Span]:
    for match in COOKIE.finditer(text):
        start, end = match.span("secret")
        if match["set"]:
            semicolon = text.find(";", start, end)
            end = semicolon if semicolon >= 0 else end
            start = text.index("=", start, end) + 1
        value = text[start:end].rstrip()
        if value:
            yield Span(start, start + len(value), "cookie")


def userinfo(text: str) -> Iterator[Span]:
    """`user:password@` of a URL. Schemes of databases and brokers often have a raw `/` or `@` in the password: up to the last `@`."""
    at = 0
    while (at := text.find("://", at)) >= 0:
        left = text[max(0, at - 40) : at]
        scheme = left[len(left.rstrip(SCHEME)) :].lower()
        at += 3
        authority = AUTHORITY.match(text, at)
        end = text.rfind("@", at, authority.end() if authority is not None else at)
        if end < 0 and (scheme not in WEB or (authority is not None and NO_PORT.search(authority[0]) is not None)):
            stop = STOP.search(text, at, at + LONGEST_USERINFO)
            reach = stop.start() if stop is not None else min(len(text), at + LONGEST_USERINFO)
            far = text.rfind("@", at, reach)
            end = far if far >= 0 and ":" in text[at:far] and not text.startswith("sha256:", far + 1) else -1
        elif end >= 0 and scheme not in WEB and ":" in text[at:end]:
            stop = STOP.search(text, end, end + LONGEST_USERINFO)
            reach = stop.start() if stop is not None else min(len(text), end + LONGEST_USERINFO)
            end = max(end, text.rfind("@", end, reach))
        if authority is not None and text.startswith("…", authority.end() - 1) and CUT_PASSWORD.search(authority[0]):
            end = authority.end() - 1
        if end > at and (":" in text[at:end] or scheme.rpartition("+")[2] in WEB):
            yield Span(at, end, "password")


def bare_userinfo(text: str) -> Iterator[Span]:
    """`user:password@host` without a scheme, as in the names of MySQL for Go; `scott/tiger@` of Oracle."""
    at = -1
    while (at := text.find("@", at + 1)) >= 0:
        if HOST_START.match(text, at + 1) is None or text.startswith("sha256:", at + 1):
            continue
        word = BARE.search(text[max(0, at - 200) : at])
        if word is None:
            continue
        user, _, password = word[1].partition(":")
        if user.lower() not in ("mailto", "npm", "sip", "sips", "git", "acct", "xmpp", "image"):
            yield Span(at - len(password), at, "password")
    for match in ORACLE.finditer(text):
        yield Span(*match.span("secret"), "password")


def commands(text: str) -> Iterator[Span]:
    """Options that take a password: whatever follows those of the commands above."""
    for match in COMMAND.finditer(text):
        line = text.find("\n", match.end(), match.end() + LINE)
        end = line if line >= 0 else match.end() + LINE
        for found in OPTIONS[str(match.lastgroup)].finditer(text, match.end(), end):
            word = ARGUMENT_WORD.match(text, found.start("secret"))
            option = word is not None and word[0].startswith("-") and text[word.start() - 1] in " \t"
            if word is not None and not option and not PORT.fullmatch(word[0]):
                yield Span(*word.span(), "password")


def any_option(text: str) -> Iterator[Span]:
    """`-p` of any command where no port and no path follows."""
    for found in GENERIC_P.finditer(text):
        if NO_PASSWORD.fullmatch(found["secret"]) is None:
            yield Span(*found.span("secret"), "password")


PORT = re.compile(r"[0-9]{1,5}(?::[0-9]{1,5})?(?:/tcp)?")
