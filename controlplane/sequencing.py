"""The sequencer's settings: read by its command alone, because no other process may hold the signing key."""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from audit.proof.note import NoteError, SigningKey, checked_name
from audit.sequencer import Setup, StateDirectory
from audit.sinks.alarm import AlarmSink
from audit.sinks.base import Sink
from audit.sinks.syslog import SyslogSink
from audit.sinks.webhook import WebhookSink
from controlplane import env

_TOLD: Final = (
    (
        "AUDIT_ANCHOR_SYSLOG",
        "syslog servers that get every checkpoint: udp://, tcp:// or tls:// with host and port, blanks between them",
    ),
    (
        "AUDIT_ANCHOR_WEBHOOK",
        "webhooks that get every checkpoint and every alarm of the sequencer, https URLs with blanks between them",
    ),
    ("AUDIT_ANCHOR_WEBHOOK_SECRET", "signs what those webhooks get (Standard Webhooks): whsec_ and base64"),
    (
        "AUDIT_ORIGIN",
        "name of the audit log in its checkpoints, no blanks or plus signs; by default PUBLIC_URL host/INSTALLATION_ID",
    ),
    (
        "AUDIT_SIGNING_KEY",
        "signs checkpoints: 32 random bytes in base64, the seed of an Ed25519 key; several with commas all sign",
    ),
    ("AUDIT_STATE_DIR", "directory of the sequencer's own, kept apart from the database: what it signed last"),
)
_REQUIRED: Final = ("AUDIT_SIGNING_KEY", "AUDIT_STATE_DIR")
_SECRET: Final = ("AUDIT_ANCHOR_WEBHOOK", "AUDIT_ANCHOR_WEBHOOK_SECRET", "AUDIT_SIGNING_KEY")
DECLARED: Final = {
    name: env.Declaration(name, purpose, "required" if name in _REQUIRED else "", name in _SECRET)
    for name, purpose in _TOLD
}


def setup_from_environment() -> Setup:
    """What `manage.py audit_sequencer` works with. Raises `SettingError`."""
    origin = _origin()
    hooks = tuple(_webhooks())
    directory = Path(_value("AUDIT_STATE_DIR"))
    if not directory.is_dir():
        raise env.SettingError(f"AUDIT_STATE_DIR names '{directory}', which is no directory: make it, or mount it")
    alarms: tuple[Sink, ...] = (AlarmSink(), *hooks)
    return Setup(origin, tuple(_keys(origin)), StateDirectory(directory), (*_syslogs(), *hooks), alarms)


def _origin() -> str:
    given = _value("AUDIT_ORIGIN")
    origin = given or f"{urlsplit(settings.PUBLIC_URL).netloc}/{settings.INSTALLATION_ID}"
    try:
        return checked_name(origin)
    except NoteError as error:
        raise env.SettingError(f"AUDIT_ORIGIN cannot be '{origin}': {error}") from error


def _keys(origin: str) -> Iterator[SigningKey]:
    for text in _value("AUDIT_SIGNING_KEY").split(","):
        try:
            seed = base64.b64decode(text.strip(), validate=True)
        except binascii.Error as error:
            raise env.SettingError("AUDIT_SIGNING_KEY is not base64") from error
        if len(seed) != 32:
            raise env.SettingError(f"AUDIT_SIGNING_KEY must hold 32 bytes, not {len(seed)}")
        yield SigningKey(origin, seed)


def _webhooks() -> Iterator[Sink]:
    urls, secret = _value("AUDIT_ANCHOR_WEBHOOK").split(), _value("AUDIT_ANCHOR_WEBHOOK_SECRET")
    if urls and not secret:
        raise env.SettingError("AUDIT_ANCHOR_WEBHOOK needs AUDIT_ANCHOR_WEBHOOK_SECRET")
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise env.SettingError("AUDIT_ANCHOR_WEBHOOK must list https URLs")
        try:
            yield WebhookSink(url, secret)
        except (ValueError, RuntimeError) as error:
            raise env.SettingError("AUDIT_ANCHOR_WEBHOOK_SECRET must be whsec_ and base64") from error


def _syslogs() -> Iterator[Sink]:
    for url in _value("AUDIT_ANCHOR_SYSLOG").split():
        try:
            yield SyslogSink(url, ca_file=settings.OUTBOUND_CA_FILE)
        except ValueError as error:
            raise env.SettingError(f"AUDIT_ANCHOR_SYSLOG cannot be '{url}': {error}") from error


def _value(name: str) -> str:
    item = DECLARED[name]
    default = None if item.default == "required" else item.default
    return env.text(name, item.purpose, default=default, secret=item.secret, declare=False)
