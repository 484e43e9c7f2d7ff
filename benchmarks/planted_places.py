"""Secrets that were never anybody's, in the places where they get into alerts: beside their name, in URLs, headers, commands, SQL."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from urllib.parse import quote

from benchmarks import planted_words
from benchmarks.planted import (
    ALNUM,
    DIGITS,
    HEX,
    KEYS,
    LOWER,
    UPPER,
    URLSAFE,
    Maker,
    Planted,
    address,
    card,
    iban,
    jwt,
    mixed,
    pem,
    person,
    pick,
    ssn,
    tail,
)


def password(rng: random.Random) -> str:
    """As people and tools make them. No quotes and blanks: those are in forms of their own."""
    while True:
        forms: list[Callable[[], str]] = [
            lambda: mixed(rng, ALNUM, rng.randint(8, 24)),
            lambda: mixed(rng, ALNUM + "!#$%*+-.=?@^_~", rng.randint(10, 28)),
            lambda: pick(rng, HEX, 32),
            lambda: pick(rng, LOWER, rng.randint(8, 14)),
            lambda: pick(rng, LOWER, 7).capitalize() + pick(rng, DIGITS, 4) + "!",
            lambda: "-".join(pick(rng, LOWER, 6) for _ in range(4)),
            lambda: pick(rng, DIGITS, 9),
            lambda: base64.b64encode(rng.randbytes(24)).decode(),
        ]
        made = rng.choice(forms)()
        if made[0].isalnum() and (made[-1] not in ".,;:?"):
            return made


def userinfo(rng: random.Random) -> Planted:
    user, secret = rng.choice(["app", "svc_orders", "root", "admin", "grafana"]), password(rng)
    host = rng.choice(["db", "cache:6379", "mq.example.com", "pg-main:5432"])
    scheme = rng.choice(
        [
            "postgres",
            "postgresql+asyncpg",
            "mysql",
            "mongodb+srv",
            "redis",
            "rediss",
            "amqp",
            "amqps",
            "http",
            "https",
            "ftp",
            "clickhouse",
            "ldap",
            "smtp",
        ]
    )
    shown = quote(secret, safe="") if scheme in ("http", "https", "ftp") else secret
    return Planted("url_userinfo", f"{scheme}://{user if scheme != 'redis' else ''}:{shown}@{host}/main?timeout=5s", (shown,))


def header(rng: random.Random) -> Planted:
    token = rng.choice([mixed(rng, URLSAFE, 40), pick(rng, HEX, 32), f"{mixed(rng, ALNUM, 20)}.{mixed(rng, ALNUM, 12)}"])
    name = rng.choice(["Authorization", "authorization", "Proxy-Authorization", "AUTHORIZATION"])
    basic = base64.b64encode(f"{pick(rng, LOWER, 6)}:{password(rng)}".encode()).decode()
    return rng.choice(
        [
            Planted("bearer", f"{name}: Bearer {token}", (token,)),
            Planted("bearer", f'"{name}": "Bearer {token}"', (token,)),
            Planted("bearer", f"{name}=[Bearer {token}]", (token,)),
            Planted("bearer", f"-H '{name}: bearer {token}'", (token,)),
            Planted("bearer", f"sent bearer {token}", (token,)),
            Planted("basic", f"{name}: Basic {basic}", (basic,)),
            Planted("basic", f"{{{name}=Basic {basic}, Accept=*/*}}", (basic,)),
            Planted(
                "aws_signature",
                f"{name}: AWS4-HMAC-SHA256 Credential={pick(rng, UPPER, 16)}/20261121/eu-west-1/s3/aws4_request, "
                f"SignedHeaders=host, Signature={(s := pick(rng, HEX, 64))}",
                (s,),
            ),
            Planted("token_header", f"X-Auth-Token: {token}", (token,)),
            Planted("token_header", f"x-api-key: {token}", (token,)),
            Planted("token_header", f"{name}: Token token={token}", (token,)),
        ]
    )


def cookie(rng: random.Random) -> Planted:
    one, two = mixed(rng, ALNUM, 26), pick(rng, HEX, 32)
    return rng.choice(
        [
            Planted("cookie", f"Cookie: sid={one}; theme=dark; csrf={two}", (one, two)),
            Planted("cookie", f"Set-Cookie: session={one}; Path=/; HttpOnly", (one,)),
            Planted("cookie", f'"cookie": "_app={one}; other={two}"', (one, two)),
            Planted("cookie", f"/cart;jsessionid={two.upper()}?step=2", (two.upper(),)),
            Planted("cookie", f"JSESSIONID={two.upper()}", (two.upper(),)),
            Planted("cookie", f"PHPSESSID={(p := pick(rng, LOWER + DIGITS, 26))}", (p,)),
            Planted("cookie", f"session_id: {one}", (one,)),
        ]
    )


def webhook(rng: random.Random) -> Planted:
    one = mixed(rng, ALNUM, 24)
    office = pick(rng, HEX, 32)
    team, hook = "T" + pick(rng, UPPER + DIGITS, 9), "B" + pick(rng, UPPER + DIGITS, 9)
    return rng.choice(
        [
            Planted("webhook", f"https://hooks.slack.com/services/{team}/{hook}/{one}", (one,)),
            Planted("webhook", f"https://hooks.slack.com/workflows/{team}/{hook}/{pick(rng, DIGITS, 18)}/{one}", (one,)),
            Planted("webhook", f"https://discord.com/api/webhooks/{pick(rng, DIGITS, 18)}/{(d := mixed(rng, URLSAFE, 68))}", (d,)),
            Planted(
                "webhook",
                f"https://acme.webhook.office.com/webhookb2/{office}@{pick(rng, HEX, 32)}/IncomingWebhook/{pick(rng, HEX, 32)}",
                (office,),
            ),
        ]
    )


def query(rng: random.Random) -> Planted:
    one, signed = mixed(rng, ALNUM, 32), pick(rng, HEX, 64)
    sas = quote(base64.b64encode(rng.randbytes(32)).decode(), safe="")
    return rng.choice(
        [
            Planted("url_query", f"https://acct.blob.core.windows.net/logs/a.gz?sv=2024-11-04&se=2026-12-01&sr=b&sp=r&sig={sas}", (sas,)),
            Planted(
                "url_query",
                f"https://bucket.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=300&X-Amz-Signature={signed}",
                (signed,),
            ),
            Planted(
                "url_query", f"https://storage.googleapis.com/b/o?X-Goog-Expires=300&X-Goog-Signature={(g := pick(rng, HEX, 128))}", (g,)
            ),
            Planted("url_query", f"https://api.example.com/v1/me?fields=id&access_token={one}&v=2", (one,)),
            Planted("url_query", f"https://maps.example.com/tile?z=3&key={one}", (one,)),
            Planted("url_query", f"GET /callback?code={one}&scope=openid HTTP/1.1", (one,)),
            Planted("url_query", f"/export?token={one}#top", (one,)),
            Planted("url_query", f"https://login.example.com/?next={quote(f'https://svc:{one}@git.example.com/x', safe='')}", (one,)),
        ]
    )


def connection(rng: random.Random) -> Planted:
    secret = mixed(rng, ALNUM, 14)
    key = base64.b64encode(rng.randbytes(64)).decode()
    return rng.choice(
        [
            Planted(
                "connection", f"Driver={{ODBC Driver 18 for SQL Server}};Server=tcp:sql,1433;Uid=app;Pwd={secret};Encrypt=yes", (secret,)
            ),
            Planted("connection", f"Driver={{X}};Uid=app;Pwd={{{secret};{secret[:3]}}};Encrypt=yes", (secret,)),
            Planted("connection", f"jdbc:sqlserver://sql:1433;databaseName=orders;user=app;password={secret};encrypt=true", (secret,)),
            Planted("connection", f"jdbc:postgresql://pg/orders?user=app&password={secret}&ssl=true", (secret,)),
            Planted("connection", f"jdbc:oracle:thin:app/{secret}@ora:1521/ORCL", (secret,)),
            Planted("connection", f"host=pg port=5432 user=app password={secret} dbname=orders sslmode=require", (secret,)),
            Planted("connection", f"host=pg user=app password='{secret} {secret[::-1]}' dbname=orders", (secret, secret[::-1])),
            Planted("connection", f"app:{secret}@tcp(mysql:3306)/orders?parseTime=true", (secret,)),
            Planted(
                "connection", f"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={key};EndpointSuffix=core.windows.net", (key,)
            ),
            Planted("connection", f"Endpoint=sb://bus/;SharedAccessKeyName=root;SharedAccessKey={key[:44]}", (key[:44],)),
            Planted("connection", f"Data Source=sql;Initial Catalog=o;User ID=sa;Password={secret}", (secret,)),
            Planted("connection", f"cache:6380,password={secret},ssl=True,abortConnect=False", (secret,)),
        ]
    )


def shell(rng: random.Random) -> Planted:
    secret = mixed(rng, ALNUM, 12)
    return rng.choice(
        [
            Planted("shell", text, (secret,))
            for text in (
                f"mysql -h db -u root -p{secret} orders",
                f"mysqldump --user=root --password={secret} orders",
                f"curl -s -u admin:{secret} https://api.example.com/health",
                f"redis-cli -h cache -a {secret} ping",
                f"sshpass -p {secret} ssh deploy@bastion",
                f"docker login -u ci -p {secret} registry.example.com",
                f"export DB_PASSWORD={secret} && ./run",
                f"/app/server --port 8080 --db-password {secret} --verbose",
                f"app --token={secret}",
                f'args: ["--api-key", "{secret}", "--debug"]',
                f"psql \"host=pg password={secret}\" -c 'select 1'",
                f"ldapsearch -x -D cn=admin -w {secret} -b dc=example",
                f"PGPASSWORD={secret} psql -h pg",
                f"openssl rsa -in k.pem -passin pass:{secret}",
                f"vault login token={secret}",
                f"mongosh --username root --password '{secret}'",
            )
        ]
    )


def sql(rng: random.Random) -> Planted:
    secret = mixed(rng, ALNUM, 12)
    return rng.choice(
        [
            Planted("sql", text, (secret,))
            for text in (
                f"CREATE USER app IDENTIFIED BY '{secret}'",
                f"ALTER ROLE app WITH PASSWORD '{secret}' VALID UNTIL 'infinity'",
                f"CREATE ROLE app LOGIN ENCRYPTED PASSWORD 'md5{secret}'",
                f"UPDATE users SET password = '{secret}', active = true WHERE id = 7",
                f"SET PASSWORD FOR app = PASSWORD('{secret}')",
                f"select * from users where email = 'x' and api_key='{secret}'",
                f'CREATE DATABASE LINK l CONNECT TO app IDENTIFIED BY "{secret}"',
            )
        ]
    )


ALL_NAMES = """password passwd pwd db_password DB_PASSWORD dbPassword spring.datasource.password userPassword secret client_secret
clientSecret api_key apiKey API_KEY api-key access_key secretAccessKey aws_secret_access_key private_key token auth_token authToken
access_token
refresh_token id_token accessToken credential credentials passphrase encryption_key signing-key SLACK_BOT_TOKEN STRIPE_SECRET_KEY
REDIS_PASSWORD session_token secret_key_base webhook_secret master_key psk ssh_passphrase"""
NAMES = ALL_NAMES.split()
FORMS: dict[str, str] = {
    "env": "{n}={v}",
    "env_quoted": "{n}='{v}'",
    "colon": "{n}: {v}",
    "json": '{{"user": "app", "{n}": "{v}", "port": 5432}}',
    "json_tight": '{{"{n}":"{v}"}}',
    "yaml": "config:\n  {n}: {v}\n  port: 5432",
    "yaml_quoted": 'config:\n  {n}: "{v}"\n',
    "env_list": "- name: {n}\n  value: {v}\n- name: PORT\n  value: '80'",
    "env_json": '{{"name": "{n}", "value": "{v}"}}',
    "python": "connect(user='app', {n}='{v}', timeout=5)",
    "ruby": ':{n} => "{v}"',
    "java": "Config{{user=app, {n}={v}, port=5432}}",
    "toml": '{n} = "{v}"',
    "xml": "<{n}>{v}</{n}>",
    "flag": "--{n} {v} --verbose",
    "flag_equals": "--{n}={v}",
    "query": "POST /login?user=app&{n}={v}&next=home",
    "semicolons": "user=app;{n}={v};timeout=3",
    "escaped_json": 'payload={{\\"{n}\\":\\"{v}\\"}}',
    "go_struct": "{{User:app {n}:{v} Port:5432}}",
    "ini": "[db]\n{n} = {v}\nport = 1",
    "log": 'level=error msg="login failed" {n}={v} took=3ms',
    "php": "'{n}' => '{v}',",
}


def beside_name(rng: random.Random, form: str) -> Planted:
    secret = password(rng)
    while form in ("query", "semicolons", "java", "go_struct", "xml") and not secret.isalnum():
        secret = password(rng)
    name = rng.choice(NAMES)
    return Planted(f"named_{form}", FORMS[form].format(n=name, v=secret), (secret,))


def wrapped(rng: random.Random) -> Planted:
    secret = password(rng)
    made = rng.choice(
        [
            f"{pick(rng, LOWER, 6)}:{secret}",
            json.dumps({"username": "app", "password": secret}),
            f"DB_PASSWORD={secret}\nDB_USER=app\n",
            f"postgres://app:{secret}@pg/main",
        ]
    )
    word = base64.b64encode(made.encode()).decode()
    return Planted("base64_wrapped", rng.choice([word, f"data:\n  config.yaml: {word}", f"payload={word}"]), (word, secret))


def makers() -> dict[str, Maker]:
    """Every kind, by name."""
    plain = {
        name: (lambda rng, name=name, make=make: (text := make(rng)) and Planted(name, text, (tail(text),))) for name, make in KEYS.items()
    }
    others: dict[str, Maker] = {
        "jwt": jwt,
        "pem": pem,
        "url_userinfo": userinfo,
        "header": header,
        "cookie": cookie,
        "webhook": webhook,
        "url_query": query,
        "connection": connection,
        "shell": shell,
        "sql": sql,
        "person": person,
        "ssn": ssn,
        "card": card,
        "iban": iban,
        "address": address,
        "base64_wrapped": wrapped,
    }
    named = {f"named_{form}": (lambda rng, form=form: beside_name(rng, form)) for form in FORMS}
    return {**plain, **others, **named, **planted_words.makers()}
