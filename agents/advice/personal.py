"""Personal data and addresses: e-mail, payment cards, IBAN, US social security numbers, IPv4, IPv6, MAC, host names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from agents.advice.spans import Detector, Span, lowered

LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&*+/=?^_{|}~-"
DOMAIN = re.compile(
    r"(?:[A-Za-z0-9\u0080-\uD7FF](?:[A-Za-z0-9\u0080-\uD7FF-]{0,62})\.){1,8}(?P<top>[A-Za-z\u0080-\uD7FF][A-Za-z0-9\u0080-\uD7FF-]{1,23})"
)
CUT_DOMAIN = re.compile(r"[A-Za-z0-9.-]{0,64}+…")
UNIT_ENDS = "service timer socket mount target slice scope path device swap automount jar js py git tgz"
"""Ends of what looks like an address and is a unit of systemd or a file."""
UNITS = frozenset(UNIT_ENDS.split())
CARD_NAME = re.compile(r"(?i)card|visa|(?<![a-z])(?:pan|cc)(?![a-z])")
"""Numbers of 13 digits, an old length, are taken only after such a word: times and bytes have as many."""
CUT_CARD = re.compile(r"(?<![\w.,+-])[3-6][0-9]{3}(?:[ -][0-9]{4}){1,3}(?:[ -][0-9]{0,4})?(?=…)")
CUT_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){4,30}(?=…)")
DIGITS = re.compile(r"(?<![\w.,+-])(?:[0-9][ -]?){12,18}[0-9](?![\w-])(?![.,][0-9])")
IBAN = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z]{2}[0-9]{2}|[a-z]{2}[0-9]{2})(?:[ -]?[A-Za-z0-9]){11,30}")
COUNTRIES = """AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
    GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19
    MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24
    XK20"""
"""Country and length of an IBAN (ISO 13616)."""
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in COUNTRIES.split()}
SSN = re.compile(r"(?<![\w.-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")
NAMED_SSN = re.compile(
    r"""(?ix) (?<![a-z]) (?: ssn | social[ ]security (?:[ ](?:number|no\.?))? ) [\"'\\]{0,4} [ :=\#\"'\\]{1,6}
    (?P<value> [0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{4} ) (?![0-9])"""
)
MAC = re.compile(
    r"""(?x) (?<![0-9A-Za-z:.-])
    (?: [0-9A-Fa-f]{2}(?P<mark>[:-])[0-9A-Fa-f]{2}(?:(?P=mark)[0-9A-Fa-f]{2}){4} | [0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4} )
    (?! [0-9A-Za-z:.-]?[0-9A-Fa-f] )"""
)
MAC_HINT = re.compile(r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.")
IPV4 = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9]|\.[0-9]|[A-Za-z_])")
FILE_VERSION = re.compile(r"[.-][A-Za-z]")
"""After the four numbers of a version in the name of a file: `driver-1.2.3.4.jar`."""
VERSION = re.compile(r"(?i)(?:version|ver\.?|release|build|driver|firmware|v)[\"'\\]{0,4}[ :=\"'\\]{0,4}\Z")
IPV6 = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f:]{2,39}(?:(?<=:)[0-9.]{7,15})?(?![0-9A-Za-z:])")
LABEL = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
NAME = re.compile(rf"(?<![A-Za-z0-9_.-]){LABEL}(?:\.{LABEL}){{1,10}}(?![A-Za-z0-9_@(-])")
DOMAINS = """com net org io dev cloud app biz info edu gov mil int tech online systems network host eu uk de fr us ca au jp cn in nl ch se
    no dk fi it es pt br mx ru ua cz at be ie nz kr sg hk tw za il tr gr hu ro bg lu is"""
TOPS = frozenset(DOMAINS.split())
COMMON = re.compile(
    r"""(?ix) s3 | ec2 | oauth2 | k8s | http2 | ipv[46] | v[0-9]{1,2}(?:(?:alpha|beta)[0-9]{1,2})?
    | (?:[a-z]{2}-){1,2}[a-z]{4,9}-[0-9][a-z]? | log4j[0-9]? | web3 | h2 | e2e | x509 | i18n | l10n | p[0-9]{2}"""
)
"""Labels of public names that hold a digit and tell nothing of a machine."""
NAMED_HOST = re.compile(
    r"""(?ix) (?<![a-z]) (?: host(?:[_-]?name)? | node[_-]?name | fqdn | computer[_-]?name ) [\"'\\]{0,4} [ ]?[:=][ ]? [\"'\\]{0,4}
    (?P<name> [A-Za-z][A-Za-z0-9_-]{0,62}[0-9][A-Za-z0-9_-]{0,20} ) (?![A-Za-z0-9_-])"""
)
IP_HOST = re.compile(r"(?i)(?<![A-Za-z0-9])ip-[0-9]{1,3}(?:-[0-9]{1,3}){3}(?![0-9-])")


def emails(text: str) -> Iterator[Span]:
    at = -1
    while (at := text.find("@", at + 1)) >= 0:
        left = text[max(0, at - 64) : at]
        start = at - len(left) + len(left.rstrip(LOCAL + "'" if left.endswith("'") else LOCAL))
        while start < at and text[start] in ".!#$%&*/=?^{|}~-":
            start += 1
        equals = text.rfind("=", start, at)
        start = equals + 1 if equals >= 0 else start
        domain = DOMAIN.match(text, at + 1) if start < at else None
        if start < at and (cut := CUT_DOMAIN.match(text, at + 1)) is not None:
            yield Span(start, cut.end() - 1, "email")
        elif domain is not None and domain["top"].lower() not in UNITS:
            yield Span(start, domain.end(), "email")


def cards(text: str) -> Iterator[Span]:
    for match in DIGITS.finditer(text):
        digits = match[0].replace(" ", "").replace("-", "")
        marked = len(digits) != 13 or CARD_NAME.search(text[max(0, match.start() - 24) : match.start()]) is not None
        if marked and issued(digits) and luhn(digits) and grouped(match[0]):
            yield Span(*match.span(), "card")


def cut_off(text: str) -> Iterator[Span]:
    """Cards and IBANs of which the end is missing; their check digits cannot be reckoned."""
    if "…" in text:
        for match in CUT_CARD.finditer(text):
            yield Span(*match.span(), "card")
        for match in CUT_IBAN.finditer(text):
            if match[0][:2] in IBAN_LENGTHS:
                yield Span(*match.span(), "iban")


def issued(digits: str) -> bool:
    """Whether a network of payment cards gives out numbers of this beginning and length."""
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    return (
        (digits[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((four == 6011 or two == 65 or 6440 <= four <= 6499 or 3528 <= four <= 3589) and size == 16)
        or ((two in (36, 38, 39) or 3000 <= four <= 3059) and size == 14)
        or ((two == 62 or two in (50, 56, 57, 58, 67)) and 16 <= size <= 19)
    )


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def grouped(written: str) -> bool:
    """As cards are written: no marks, or groups of four to six; not a row of measured numbers."""
    groups = [len(group) for group in re.split(r"[ -]", written)]
    return len(groups) == 1 or all(size == 4 for size in groups[:-1]) or groups in ([4, 6, 5], [4, 6, 4])


def ibans(text: str) -> Iterator[Span]:
    for match in IBAN.finditer(text):
        size = IBAN_LENGTHS.get(match[0][:2].upper())
        if size is None:
            continue
        compact, end = "", match.start()
        while len(compact) < size and end < match.end():
            compact += text[end] if text[end].isalnum() else ""
            end += 1
        if len(compact) == size and not text[end : end + 1].isalnum() and mod97(compact.upper()):
            yield Span(match.start(), end, "iban")


def mod97(iban: str) -> bool:
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1


def numbers(text: str) -> Iterator[Span]:
    """Social security numbers of the USA."""
    for match in SSN.finditer(text):
        yield Span(*match.span(), "ssn")
    for match in NAMED_SSN.finditer(text):
        yield Span(*match.span("value"), "ssn")


def addresses(text: str) -> Iterator[Span]:
    """Loopback and unspecified addresses are everybody's, and stay."""
    for match in MAC.finditer(text) if MAC_HINT.search(text) is not None else ():
        yield Span(*match.span(), "mac")
    for match in IPV4.finditer(text):
        if real_ipv4(text, *match.span()):
            yield Span(*match.span(), "ip")
    if "::" in text or text.count(":") >= 7:
        for match in IPV6.finditer(text):
            if match[0].count(":") >= 2 and real_ipv6(match[0]):
                yield Span(*match.span(), "ip")


def real_ipv4(text: str, start: int, end: int) -> bool:
    """Whether four numbers are an address and no version; a letter before it may be the end of an escaped line."""
    word = text[start:end]
    before = text[start - 1 : start]
    if before and (before.isdigit() or before == "."):
        return False
    if before == "-" and FILE_VERSION.match(text, end) is not None:
        return False
    if before.isalpha() and not (before in "nrt" and text[start - 2 : start - 1] == "\\"):
        return False
    if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in word.split(".")):
        return False
    everybodys = word.startswith("127.") or word in ("0.0.0.0", "255.255.255.255")
    return not everybodys and VERSION.search(text[max(0, start - 20) : start]) is None


def real_ipv6(word: str) -> bool:
    try:
        address = ipaddress.IPv6Address(word)
    except ValueError:
        return False
    short = "::" in word and word.count(":") < 4 and not any(map(str.isdigit, word))  # `dead::beef` is as likely a name in C++
    return not (address.is_loopback or address.is_unspecified or short)


def hosts(suffixes: tuple[str, ...]) -> Detector:
    """Names that end in one of `suffixes`, or are of a public domain and have a digit in a label."""
    ends = tuple(suffix.lower() if suffix.startswith(".") else f".{suffix.lower()}" for suffix in suffixes if suffix)

    def detector(text: str) -> Iterator[Span]:
        low = lowered(text)
        if "ip-" in low:
            for match in IP_HOST.finditer(text):
                yield Span(*match.span(), "host")
        if "host" in low or "name" in low or "fqdn" in low:
            for match in NAMED_HOST.finditer(text):
                yield Span(*match.span("name"), "host")
        if "." not in text:
            return
        for match in NAME.finditer(text):
            name = match[0].lower()
            if name.endswith(ends) or (name.rpartition(".")[2] in TOPS and numbered(name)):
                yield Span(*match.span(), "host")

    return detector


def numbered(name: str) -> bool:
    return any(any(map(str.isdigit, label)) and COMMON.fullmatch(label) is None for label in name.split(".")[:-1])
