"""Secrets that were never anybody's: those that show what they are by their own form, and personal data.

Each is made by chance in the form that its issuer documents. `Planted.parts` are what must not get out; the rest of `text` may.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGITS
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
B64 = ALNUM + "+/"


@dataclass(frozen=True, slots=True)
class Planted:
    kind: str
    text: str
    parts: tuple[str, ...]


def pick(rng: random.Random, letters: str, size: int) -> str:
    return "".join(rng.choices(letters, k=size))


def mixed(rng: random.Random, letters: str, size: int) -> str:
    """With a digit, a capital and a small letter among them, as issued keys have."""
    while True:
        word = pick(rng, letters, size)
        if (
            any(map(str.isdigit, word))
            and any(map(str.isupper, word))
            and any(map(str.islower, word))
            and word[0].isalnum()
            and word[-1].isalnum()
        ):
            return word


Maker = Callable[[random.Random], Planted]
KEYS: dict[str, Callable[[random.Random], str]] = {
    "aws_access_key_id": lambda r: r.choice(["AKIA", "ASIA"]) + pick(r, UPPER + "234567", 16),
    "gcp_api_key": lambda r: "AIza" + mixed(r, URLSAFE, 35),
    "gcp_oauth_token": lambda r: "ya29." + mixed(r, URLSAFE, 60),
    "azure_client_secret": lambda r: mixed(r, ALNUM, 3) + "8Q~" + mixed(r, ALNUM + "_.", 34),
    "github_token": lambda r: r.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + mixed(r, ALNUM, 36),
    "github_pat": lambda r: "github_pat_" + mixed(r, ALNUM, 22) + "_" + mixed(r, ALNUM, 59),
    "gitlab_token": lambda r: r.choice(["glpat-", "gldt-", "glrt-"]) + mixed(r, URLSAFE, 20),
    "slack_bot_token": lambda r: f"xoxb-{pick(r, DIGITS[1:], 12)}-{pick(r, DIGITS[1:], 12)}-{mixed(r, ALNUM, 24)}",
    "slack_app_token": lambda r: f"xapp-1-A{pick(r, UPPER + DIGITS, 10)}-{pick(r, DIGITS[1:], 13)}-{pick(r, HEX, 64)}",
    "stripe_key": lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + mixed(r, ALNUM, 24),
    "stripe_webhook": lambda r: "whsec_" + mixed(r, ALNUM, 32),
    "openai_key": lambda r: r.choice(["sk-", "sk-proj-", "sk-svcacct-"]) + mixed(r, ALNUM, 48),
    "anthropic_key": lambda r: f"sk-ant-api03-{mixed(r, URLSAFE, 93)}AA",
    "npm_token": lambda r: "npm_" + mixed(r, ALNUM, 36),
    "pypi_token": lambda r: "pypi-AgEIcHlwaS5vcmc" + mixed(r, URLSAFE, 120),
    "sendgrid_key": lambda r: f"SG.{mixed(r, URLSAFE, 22)}.{mixed(r, URLSAFE, 43)}",
    "twilio_key": lambda r: r.choice(["SK", "AC"]) + pick(r, HEX, 32),
    "discord_bot": lambda r: f"M{mixed(r, ALNUM, 23)}.{mixed(r, URLSAFE, 6)}.{mixed(r, URLSAFE, 38)}",
    "telegram_bot": lambda r: f"{pick(r, DIGITS[1:], 10)}:AA{mixed(r, URLSAFE, 33)}",
    "vault_token": lambda r: "hvs." + mixed(r, URLSAFE, 90),
    "grafana_token": lambda r: f"glsa_{mixed(r, ALNUM, 32)}_{pick(r, HEX, 8)}",
    "digitalocean_token": lambda r: "dop_v1_" + pick(r, HEX, 64),
    "huggingface_token": lambda r: "hf_" + mixed(r, ALNUM, 34),
    "databricks_token": lambda r: "dapi" + pick(r, HEX, 32),
    "docker_pat": lambda r: "dckr_pat_" + mixed(r, URLSAFE, 27),
    "newrelic_key": lambda r: "NRAK-" + pick(r, UPPER + DIGITS, 27),
    "unlisted_key": lambda r: mixed(r, ALNUM, 40),
    "unlisted_key_b64": lambda r: mixed(r, B64, 43) + "=",
}


def jwt(rng: random.Random) -> Planted:
    head = segment({"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"})
    body = segment({"sub": pick(rng, DIGITS, 10), "name": pick(rng, LOWER, 8), "iat": 1700000000})
    sign = mixed(rng, URLSAFE, 43)
    return Planted("jwt", f"{head}.{body}.{sign}", (body, sign))


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def pem(rng: random.Random) -> Planted:
    name = rng.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED ", "DSA "])
    lines = [mixed(rng, B64, 64) for _ in range(rng.randint(3, 12))] + [mixed(rng, B64, rng.randint(20, 62)) + "=="]
    form = rng.choice(["whole", "escaped", "one_line", "spaces", "no_end", "no_begin", "twice_escaped"])
    begin, end = f"-----BEGIN {name}PRIVATE KEY-----", f"-----END {name}PRIVATE KEY-----"
    if name == "ENCRYPTED " and form == "whole":
        begin += "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,8F0C2A1B"
    joiner = {"escaped": "\\n", "twice_escaped": "\\\\n", "one_line": "", "spaces": " "}.get(form, "\n")
    pieces = ([] if form == "no_begin" else [begin]) + lines + ([] if form == "no_end" else [end])
    return Planted(f"pem_{form}", joiner.join(pieces), tuple(lines))


def person(rng: random.Random) -> Planted:
    first, last, firm = pick(rng, LOWER, 7), pick(rng, LOWER, 8), pick(rng, LOWER, 9)
    return rng.choice(
        [
            Planted("email", f"{first}.{last}@{firm}.com", (last, firm)),
            Planted("email", f"<mailto:{first}+{last}@mail.{firm}.co.uk>", (last, firm)),
            Planted("email", f"{first}_{last}@{firm}.io", (last, firm)),
            Planted("phone", (p := f"phone: +{rng.randint(30, 49)} {rng.randint(100, 999)} {rng.randint(1000000, 9999999)}"), (p[7:],)),
            Planted("phone", (p := f"tel=({rng.randint(200, 900)}) {rng.randint(200, 999)}-{rng.randint(1000, 9999)}"), (p[4:],)),
            Planted("phone", (p := f"msisdn={rng.randint(10**10, 10**11 - 1)}"), (p[7:],)),
        ]
    )


def ssn(rng: random.Random) -> Planted:
    number = f"{rng.randint(100, 650)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
    return Planted("ssn", rng.choice([number, f"ssn={number}", f"SSN: {number.replace('-', ' ')}"]), (number, number.replace("-", " ")))


def card(rng: random.Random) -> Planted:
    begin, size = rng.choice([("4", 16), ("51", 16), ("55", 16), ("34", 15), ("37", 15), ("6011", 16), ("2221", 16)])
    body = begin + pick(rng, DIGITS, size - len(begin) - 1)
    check = next(digit for digit in DIGITS if luhn(body + digit))
    number = body + check
    if size == 16:
        written = rng.choice(
            [number, " ".join(number[at : at + 4] for at in range(0, 16, 4)), "-".join(number[at : at + 4] for at in range(0, 16, 4))]
        )
    else:
        written = rng.choice([number, f"{number[:4]} {number[4:10]} {number[10:]}"])
    return Planted("card", written, (written, number))


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def iban(rng: random.Random) -> Planted:
    country, size = rng.choice([("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("ES", 24), ("TR", 26), ("CH", 21)])
    body = ("WEST" if country == "GB" else "ABNA" if country == "NL" else "") + pick(rng, DIGITS, 40)
    body = body[: size - 4]
    number = "".join(str(int(letter, 36)) for letter in body + country + "00")
    made = f"{country}{98 - int(number) % 97:02d}{body}"
    written = rng.choice([made, " ".join(made[at : at + 4] for at in range(0, len(made), 4)), made.lower()])
    return Planted("iban", written, (written, made))


def address(rng: random.Random) -> Planted:
    four = ".".join(str(rng.choice([10, 34, 52, 100, 172, 192, 203]) if place == 0 else rng.randint(1, 254)) for place in range(4))
    six = ":".join(f"{rng.randint(0x1000, 0xFFFF):x}" for _ in range(8))
    mac = ":".join(f"{rng.randint(0, 255):02x}" for _ in range(6))
    host = (
        f"{pick(rng, LOWER, 5)}-{rng.randint(10, 99)}.{pick(rng, LOWER, 4)}{rng.choice(['.internal', '.local', '.corp', '.acme-hq.com'])}"
    )
    return rng.choice(
        [
            Planted("ip", four, (four,)),
            Planted("ip", f"{four}:9100", (four,)),
            Planted("ip", f"http://{four}:8080/metrics", (four,)),
            Planted("ip", f"/{four}:44321", (four,)),
            Planted("ip", f"{four}/24", (four,)),
            Planted("ip", f"[{six}]:443", (six,)),
            Planted("ip", f"2001:db8:{six[:4]}::{six[5:9]}", (f"{six[:4]}::{six[5:9]}",)),
            Planted("mac", rng.choice([mac, mac.upper(), mac.replace(":", "-")]), (mac, mac.upper(), mac.replace(":", "-"))),
            Planted("host", host, (host,)),
            Planted("host", f"https://{host}:8443/healthz", (host,)),
            Planted("host", f"ip-{four.replace('.', '-')}", (four.replace(".", "-"),)),
        ]
    )


def tail(key: str) -> str:
    """The part of a key that is secret: without the beginning that all keys of its kind share."""
    for end in ("-", "_", ".", ":"):
        head, mark, rest = key.partition(end)
        if mark and len(head) <= 12 and len(rest) >= 16:
            return rest
    return key[4:]
