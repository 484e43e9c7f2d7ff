"""Secrets that were never anybody's, in prose of several languages, in commands and manifests; telephones; keys that nobody listed."""

from __future__ import annotations

import base64
import random

from benchmarks.planted import ALNUM, DIGITS, HEX, LOWER, UPPER, Maker, Planted, mixed, pick

BASE32 = UPPER + "234567"


def secret_of(rng: random.Random) -> str:
    """Of letters and digits only, so that every shell and language takes it without quotes."""
    return rng.choice(
        [
            mixed(rng, ALNUM, rng.randint(8, 16)),
            pick(rng, LOWER, 7) + pick(rng, DIGITS, 3),
            pick(rng, LOWER, 6) + "!" + pick(rng, DIGITS, 2),
        ]
    )


def phone(rng: random.Random) -> Planted:
    def number(letters: str, size: int) -> str:
        return pick(rng, letters, size)

    written = rng.choice(
        [
            f"+49 170 {number(DIGITS, 7)}",
            f"+49 30 {number(DIGITS, 8)}",
            f"+1 ({rng.randint(201, 989)}) {rng.randint(201, 999)}-{number(DIGITS, 4)}",
            f"+44 20 {number(DIGITS, 4)} {number(DIGITS, 4)}",
            f"+33 6 {' '.join(number(DIGITS, 2) for _ in range(4))}",
            f"+4917{number(DIGITS, 9)}",
            f"0049 171 {number(DIGITS, 7)}",
            f"({rng.randint(201, 989)}) {rng.randint(201, 999)}-{number(DIGITS, 4)}",
            f"{rng.randint(201, 989)}-{rng.randint(201, 999)}-{number(DIGITS, 4)}",
            f"0{rng.randint(150, 179)} {number(DIGITS, 7)}",
            f"0{rng.randint(20, 99)}/{number(DIGITS, 7)}",
        ]
    )
    plain = f"{rng.randint(150, 179)}{number(DIGITS, 7)}"
    return rng.choice(
        [
            Planted("phone_bare", written, (written,)),
            Planted("phone_bare", f"escalate to {written} before 6 pm", (written,)),
            Planted(
                "phone_named", f"{rng.choice(['tel', 'Telefon:', 'Rufnummer', 'phone', 'Handy', 'mobile number is'])} {plain}", (plain,)
            ),
            Planted("phone_named", f"please call 0{plain[:3]} {plain[3:6]} {plain[6:]}", (f"{plain[:3]} {plain[3:6]} {plain[6:]}",)),
        ]
    )


def sql_bare(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    text = rng.choice(
        [
            f"CREATE USER app IDENTIFIED BY {secret}",
            f"alter user app identified by {secret};",
            f"GRANT ALL ON db.* TO app IDENTIFIED BY {secret}",
        ]
    )
    return Planted("sql_without_quotes", text, (secret,))


def manifest(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    word = base64.b64encode(secret.encode()).decode()
    key = rng.choice(["password", "conf", "dsn", "tls.key", "value1"])
    text = rng.choice(
        [
            f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  user: YWRtaW4=\n  {key}: {word}\n",
            f"apiVersion: v1\ndata:\n  {key}: {word}\n  user: YWRtaW4=\nkind: Secret\n",
            f'{{"apiVersion":"v1","data":{{"user":"YWRtaW4=","{key}":"{word}"}},"kind":"Secret"}}',
            f"kind: Secret metadata: name: a data: user: YWRtaW4= {key}: {word}",
            f"kind: Secret\nstringData:\n  {key}: {secret}\n",
        ]
    )
    return Planted("kubernetes_secret", text, (word, secret))


def literal(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    form = rng.choice(["--from-literal={k}={v}", "--from-literal='{k}={v}'", "--from-literal {k}={v}", '--from-literal={k}="{v}"'])
    return Planted(
        "from_literal", f"kubectl create secret generic db {form.format(k=rng.choice(['a', 'pw', 'conn']), v=secret)} -n prod", (secret,)
    )


def appid(rng: random.Random) -> Planted:
    key = pick(rng, HEX, 32)
    return Planted("query_appid", f"GET https://api.weather.example/data/2.5/weather?q=Berlin&appid={key}", (key,))


def keyed(rng: random.Random) -> Planted:
    word = rng.choice([pick(rng, HEX, 32), pick(rng, HEX, 40), "-".join(pick(rng, HEX, size) for size in (8, 4, 4, 4, 12))])
    name = rng.choice(["DATADOG KEY", "the key is", "license key:", "token", "secret", "API key", "app key =", "Datadog app key"])
    return Planted("key_in_hex", f"{name} {word}", (word,))


def licence(rng: random.Random) -> Planted:
    word = "-".join(mixed(rng, ALNUM, 5).upper() for _ in range(5))
    return Planted("licence_key", rng.choice([word, f"licence {word}", f"product key {word.lower()}"]), (word, word.lower()))


def seed(rng: random.Random) -> Planted:
    word = ""
    while sum(map(str.isdigit, word)) < 2:
        word = pick(rng, BASE32, rng.choice([16, 26, 32]))
    spaced = " ".join(word[at : at + 4] for at in range(0, len(word), 4))
    name = rng.choice(["TOTP secret", "2fa seed", "otp", "totp seed of the admin is", "MFA:", "authenticator key"])
    shown = rng.choice([word, spaced, word.lower(), spaced.lower()])
    return Planted("totp_seed", f"{name} {shown}", (shown,))


def command(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    return rng.choice(
        [
            Planted("net_use", f"net use Z: \\\\nas\\share /user:bob {secret}", (secret,)),
            Planted("net_use", f"net use \\\\nas\\share {secret} /user:CORP\\bob /persistent:yes", (secret,)),
            Planted("piped_password", f"echo {secret} | docker login -u ci --password-stdin registry.example.com", (secret,)),
            Planted("piped_password", f"echo '{secret}' | sudo -S systemctl restart x", (secret,)),
            Planted("piped_password", f"printf %s {secret} | helm registry login r.example.com -u ci --password-stdin", (secret,)),
        ]
    )


WORDS = """Passwort Kennwort mot_de_passe contraseña clave senha hasło wachtwoord şifre пароль 密码 パスワード 비밀번호
salasana lösenord adgangskode
jelszó heslo parola"""


def foreign(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    word = rng.choice(WORDS.split()).replace("_", " ")
    said = rng.choice([": ", "=", " = ", " lautet ", " ist ", " is ", " est ", " es ", ":"])
    return Planted("foreign_word", f"{word}{said}{secret}", (secret,))


def table(rng: random.Random) -> Planted:
    secret = secret_of(rng)
    name = rng.choice(["DB_PASSWORD", "api_key", "SLACK_TOKEN", "client_secret"])
    text = rng.choice(
        [
            f'{{"param_name":"{name}","param_value":"{secret}"}}',
            f'{{"env_name": "{name}", "env_team": "pay", "env_value": "{secret}"}}',
            f'{{"value": "{secret}", "name": "{name}"}}',
            f'[{{"Key":"{name}","Value":"{secret}"}},{{"Key":"PORT","Value":"80"}}]',
        ]
    )
    return Planted("table_of_parameters", text, (secret,))


def unlisted(rng: random.Random) -> Planted:
    """Of a length at which chance makes no words of it: of 20 letters, 2 in 1,000 look like a name."""
    word = rng.choice(
        [
            mixed(rng, ALNUM, 24),
            mixed(rng, ALNUM, 32),
            base64.b64encode(rng.randbytes(24)).decode(),
            base64.b64encode(rng.randbytes(32)).decode(),
            base64.urlsafe_b64encode(rng.randbytes(24)).decode(),
        ]
    )
    return Planted("unlisted_in_prose", f"please use {word} for the new one", (word,))


def makers() -> dict[str, Maker]:
    return {
        "phones": phone,
        "sql_without_quotes": sql_bare,
        "kubernetes_secret": manifest,
        "from_literal": literal,
        "query_appid": appid,
        "key_in_hex": keyed,
        "licence_key": licence,
        "totp_seed": seed,
        "command": command,
        "foreign_word": foreign,
        "table_of_parameters": table,
        "unlisted_in_prose": unlisted,
    }
