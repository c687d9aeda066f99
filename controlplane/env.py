"""Typed readers of environment variables. A bad value stops start-up with a sentence.

Every read is declared with its purpose, so that `docs/settings.md` can be generated from `DECLARED`. A secret
`NAME` may also come from the file that `NAME_FILE` names. Pure apart from the environment and those files.
"""

import base64
import binascii
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


class SettingError(Exception):
    """A setting is missing or malformed; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One environment variable, as the settings reference shows it."""

    name: str
    purpose: str
    default: str
    secret: bool


TOKEN_MIN: Final = 16
_DECIMAL: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
DECLARED: Final[dict[str, Declaration]] = {}
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def text(name: str, purpose: str, *, default: str | None = None, secret: bool = False, declare: bool = True) -> str:
    """The variable as text; without `default` it is required. `declare=False`: read by one command, not by settings."""
    if declare:
        shown = "required" if default is None else ("" if secret else default)
        DECLARED[name] = Declaration(name, purpose, shown, secret)
    value = _from_file(name) if secret else None
    value = os.environ.get(name) if value is None else value
    if value:
        return value
    if default is None:
        hint = f" (or {name}_FILE)" if secret else ""
        raise SettingError(f"{name}{hint} is not set: {purpose}")
    return default


def integer(name: str, purpose: str, *, default: int, minimum: int, maximum: int) -> int:
    """The variable as a whole number within bounds."""
    value = text(name, purpose, default=str(default))
    if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
        raise SettingError(f"{name} must be a whole number from {minimum} to {maximum}, not '{value}'")
    return int(value)


def boolean(name: str, purpose: str, *, default: bool) -> bool:
    """The variable as true or false; any other word is refused."""
    value = text(name, purpose, default="true" if default else "false").lower()
    if value not in ("true", "false"):
        raise SettingError(f"{name} must be 'true' or 'false', not '{value}'")
    return value == "true"


def web_url(name: str, purpose: str, *, default: str) -> str:
    """The variable as an http(s) URL without query, fragment, user or trailing slash; or nothing, if by default."""
    value = text(name, purpose, default=default).rstrip("/")
    if not value and not default:
        return ""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise SettingError(f"{name} must be an http or https URL such as https://holdfast.example, not '{value}'")
    return value


def choice(name: str, purpose: str, *, default: str, choices: tuple[str, ...]) -> str:
    """The variable as one of `choices`."""
    value = text(name, purpose, default=default)
    if value not in choices:
        raise SettingError(f"{name} must be one of {', '.join(choices)}, not '{value}'")
    return value


def web_urls(name: str, purpose: str, *, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The variable as https URLs, with blanks or commas between them; each counts exactly as it is written."""
    found = tuple(text(name, purpose, default=" ".join(default)).replace(",", " ").split())
    for url in found:
        if not url.startswith("https://"):
            raise SettingError(f"{name} must list https URLs, not '{url}'")
    return found


def ratio(name: str, purpose: str, *, default: float) -> float:
    """The variable as a number from 0 to 1."""
    value = text(name, purpose, default=str(default))
    if not _DECIMAL.fullmatch(value) or float(value) > 1:
        raise SettingError(f"{name} must be a number from 0 to 1, not '{value}'")
    return float(value)


def token(name: str, purpose: str) -> str:
    """The variable as a secret in visible ASCII of at least `TOKEN_MIN` characters, or nothing."""
    value = text(name, purpose, default="", secret=True)
    if value and not (len(value) >= TOKEN_MIN and value.isascii() and value.isprintable() and " " not in value):
        raise SettingError(f"{name} must have at least {TOKEN_MIN} characters of visible ASCII without spaces")
    return value


def webhook_secret(name: str, purpose: str) -> str:
    """The variable as a secret of Standard Webhooks, or nothing."""
    value = text(name, purpose, default="", secret=True)
    try:
        if value and len(base64.b64decode(value.removeprefix("whsec_"), validate=True)) < TOKEN_MIN:
            raise SettingError(f"{name} must hold at least {TOKEN_MIN} bytes")
    except binascii.Error as error:
        raise SettingError(f"{name} is not base64") from error
    return value


def pairs(name: str, purpose: str) -> dict[str, str]:
    """The variable, a secret, as HTTP headers: `name=value,name=value`, percent-encoded (OTLP exporters' form)."""
    found: dict[str, str] = {}
    for part in text(name, purpose, default="", secret=True).split(","):
        key, separator, value = (unquote(each).strip() for each in part.partition("="))
        if not key and not separator:
            continue
        if not separator or not _HEADER.fullmatch(key) or not value.isascii() or not value.isprintable():
            # What stands there is secret, so it is not repeated.
            raise SettingError(f"{name} must list headers such as authorization=Bearer%20abc,x-team=blue")
        found[key.lower()] = value
    return found


def networks(name: str, purpose: str) -> tuple[IpNetwork, ...]:
    """The variable as comma-separated networks in CIDR form."""
    value = text(name, purpose, default="")
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise SettingError(f"{name} must list networks such as 127.0.0.0/8: {error}") from error


def database(name: str, purpose: str) -> dict[str, object]:
    """The variable, a libpq connection URI, as an entry of Django's DATABASES."""
    value = text(name, purpose, secret=True)
    try:
        parts = {key: str(item) for key, item in conninfo_to_dict(value).items()}
    except ProgrammingError as error:
        raise SettingError(f"{name} is not a PostgreSQL connection URI: {str(error).strip()}") from error
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    known = {names[key]: parts.pop(key) for key in list(parts) if key in names}
    return {"ENGINE": "django.db.backends.postgresql", **known, "OPTIONS": parts}


def broker_url(redis_url: str) -> str:
    """A Redis URL as kombu spells it: `redis+socket:///path?virtual_host=1` for redis-py's `unix:///path?db=1`."""
    return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


def _from_file(name: str) -> str | None:
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{name}_FILE names '{path}', which cannot be read: {error}") from error
