"""Secrets after a word of prose: `das Kennwort lautet x`, `DATADOG KEY 0c3f...`; seeds of one-time passwords and licence keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.advice.secret_names import NO_SECRET, PROSE, random_looking
from agents.advice.spans import Span

FOREIGN = re.compile(
    r"""(?ix) (?<![^\W_]) (?: (?:[a-zäöü]{2,14})? (?:passw[oö]rt|kennwort|losungswort|zugangscode) (?:es|s|er)?
    | mots?[ _-]de[ _-]passe | mdp
    | contrase(?:ñ|n\u0303?)as? | contrasenya | clave(?![ ](?:prim|for|única|pública|de[ ])) | senha | has(?:ł|l)(?:o|a|em)
    | wachtwoord(?:en)? | (?:ş|s\u0327|s)ifre(?:si|niz|n)? | (?:parola|parolă|parolas[ıi])
    | парол(?:ь|я|ем|и) | 密码 | 密碼 | 口令 | パスワード | 暗証番号 | 비밀번호 | 암호
    | salasana(?:si|n)? | l(?:ö|o\u0308|o)senord(?:et)? | adgangskoden? | passord(?:et)? | jelsz(?:ó|o\u0301|o|ava) | hesl(?:o|em|a)
    | lozinka | geslo | slapta(?:ž|z)odis | parool | κωδικός | סיסמה | סיסמא | mật[ ]khẩu | kata[ ]sandi | รหัสผ่าน | पासवर्ड ) """
)
SAID = re.compile(
    r"""(?ix) [\"'`\\\])*_]{0,6} (?: [ ][^\s:=]{1,24} ){0,3}?
    (?: \s{0,4} (?P<mark> => | [:=] ) | \s{1,4} (?P<sure> lautet | laut\ het | brzmi | lyder | kuuluu ) (?![^\W\d_])
      | \s{1,4} (?P<is> ist | is | est | es | è | é | era | war | jest | är | er | je | on | olan | это | является | est\ : ) (?![^\W\d_])
      | \s{0,2} (?P<suffix> 是 | 为 | 為 | は | が | 은 | 는 | こ ) | (?P<none> \s{1,3} (?=[\"'`]) ) )
    [\s\"'`\\(\[:=]{0,6} """
)
VALUE = re.compile(r"[^\s\"'`<>，。、]{1,256}")
LAST = re.compile(r"[.,;!)]?\s{0,4}(?:\Z|[\"'\n.;\\])")
ASCII = re.compile(r"[!-~]{4,128}")
PROSE_ELSEWHERE = """
    falsch abgelaufen ungültig nicht leer erforderlich korrekt richtig gesperrt bekannt unbekannt zu ein eine der die das für von wurde
    geändert incorrect incorrecte invalide expiré expirée requis obligatoire vide faux erroné modifié manquant pour incorrecta incorrecto
    inválida caducada requerida obligatoria errónea vacía primaria primario foránea única errada incorreta expirada expirou obrigatória
    vazia nieprawidłowe wygasło puste wymagane błędne onjuist verlopen ongeldig verplicht leeg vereist hatalı yanlış geçersiz неверный
    неверен истек просрочен väärä vanhentunut fel felaktigt forkert ugyldig udløbet hibás lejárt špatné neplatné errata scaduta non
    sbagliata nu este gültig geheim niet un une la le el una o a"""
OTHER_PROSE = frozenset(PROSE_ELSEWHERE.split())
HEX = r"[0-9a-fA-F]{32}(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{32})?(?![0-9a-zA-Z])"
UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-zA-Z-])"
KEYED = re.compile(
    rf"""(?ix) (?P<before> (?<![a-z0-9]) [a-z0-9]{{1,20}} [ _-]{{1,2}} )? (?<![a-z])
    (?: (?:api|app|auth|access)?key | token | secret | licen[cs]e | credential ) (?![a-z0-9])
    [\"'`\\)]{{0,3}} (?: [\s:=\#>({{\[\"'`-]{{1,6}} (?:is|was|ist|est|es|lautet|value)? ){{1,2}}
    [\s:=\"'`(]{{0,4}} (?P<secret> {UUID} | {HEX} )"""
)
KEYS_OF_RECORDS = """partition primary cache routing idempotency object sort row foreign message dedup deduplication correlation shard group
    bucket s3 index hash unique public host kms lookup search map redis etcd registry cluster page cursor next continuation trace request
    record event incident alert thread composite surrogate natural storage lock join lease fencing sync range file blob"""
NO_KEYS = frozenset(KEYS_OF_RECORDS.split())
"""Before `key`: what it names is found by it, and no secret."""
SEED = re.compile(
    r"""(?ix) (?<![a-z]) (?: t?otp | hotp | 2fa | mfa | two[ -]factor | seed | authenticator | one[ -]time | base32 )
    (?![a-z])
    (?: [\s:=\"'`()\\,;-]{1,4} (?: [a-z]{1,14} (?=[\s:=\"'`()\\,;-]) )?? ){1,5}?
    (?-i: (?P<secret> [A-Z2-7]{16,128}=* | (?:[A-Z2-7]{4}[ -]){3,31}[A-Z2-7]{1,4} | (?=[a-z]*[2-7])[a-z2-7]{16,128}=*
      | (?=[a-z -]{0,20}[2-7])(?:[a-z2-7]{4}[ -]){3,31}[a-z2-7]{1,4} ) ) (?![0-9A-Za-z])"""
)
LICENCE = re.compile(
    r"(?<![A-Z0-9-])(?P<secret>[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4})(?![A-Z0-9-])"
    r"|(?<![a-z0-9-])(?P<low>[a-z0-9]{5}(?:-[a-z0-9]{5}){4})(?![a-z0-9-])"
)
LICENCE_HINT = re.compile(r"(?i)licen[cs]e|lizenz|activation|serial|product|key|code")


def words(text: str) -> Iterator[Span]:
    yield from foreign(text)
    yield from keyed(text)


def foreign(text: str) -> Iterator[Span]:
    """After the word for a password in other languages."""
    for word in FOREIGN.finditer(text):
        said = SAID.match(text, word.end())
        if said is None:
            continue
        found = (ASCII if said["suffix"] else VALUE).match(text, said.end())
        if found is None:
            continue
        value = found[0].rstrip(".,;:!?)]}。")
        low = value.lower()
        if not value or NO_SECRET.fullmatch(value) or low in PROSE or low in OTHER_PROSE:
            continue
        last = LAST.match(text, found.start() + len(value)) is not None
        quoted = text[said.end() - 1] in "\"'`"
        sure = said["mark"] or said["sure"] or said["suffix"] or quoted or random_looking(value)
        if sure or (last and len(value) >= 4):
            yield Span(found.start(), found.start() + len(value), "password")


def keyed(text: str) -> Iterator[Span]:
    """After `key`, `token`, `secret`: 32, 40 or 64 digits in hexadecimal or a UUID; seeds of one-time passwords; licences."""
    for match in KEYED.finditer(text):
        if (match["before"] or "").strip(" _-").lower() not in NO_KEYS:
            yield Span(*match.span("secret"), "secret")
    for match in SEED.finditer(text):
        seed = match["secret"]
        marked = text[max(0, match.start("secret") - 8) : match.start("secret")].rstrip(" \"'`\\")[-1:] in ":="
        if sum(map(str.isdigit, seed)) >= (0 if marked else 1 if seed.isupper() else 2):
            yield Span(*match.span("secret"), "secret")
    for match in LICENCE.finditer(text):
        group = "secret" if match["secret"] else "low"
        near = LICENCE_HINT.search(text[max(0, match.start() - 40) : match.start()]) is not None
        mixed = any(map(str.isdigit, match[0])) and any(map(str.isalpha, match[0]))
        if mixed if group == "secret" else near and mixed:
            yield Span(*match.span(group), "secret")
