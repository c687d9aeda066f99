"""What is kept of a part of a call: its exact bytes, or what redaction and the secret scan left. Pure module.

Nothing is cut in the middle: a part that is too long is kept as its length and hash alone. A head of JSON stands
before the bytes, so that a reader knows what they are.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from audit.payload import Part
from audit.redaction import DROPPED, Fields, redacted
from audit.secret_scan import scan

LIMITS: Final = {"arguments": 64 * 1024, "result": 256 * 1024}  # bytes of a part that are kept whole
Form = Literal["exact", "changed", "too_long"]


class Content(Struct, frozen=True):
    """`form`: the bytes as they were; changed by redaction or the scan; or none, for they were too many.

    `secrets`: how many were left out. `sha256`: of the exact bytes, where they are too long to be kept.
    """

    form: Form
    data: bytes = b""
    secrets: int = 0
    sha256: str = ""


class _Head(Struct, frozen=True):
    form: Form
    secrets: int = 0
    sha256: str = ""


def content_of(part: Part, data: bytes, fields: Fields, mark: Callable[[bytes], str]) -> Content:
    """What may be stored of `data`, JSON. Secrets are looked for first: no policy keeps one.

    `mark` gives what stands for a value that can be looked for.
    """
    if len(data) > LIMITS[part]:
        return Content("too_long", sha256=hashlib.sha256(data).hexdigest())
    value = json.loads(data) if data else {}
    clean, secrets = scan(value, _written(value))
    left = redacted(clean, fields, lambda found: mark(found.encode() if type(found) is str else _written(found)))
    if left is value:
        return Content("exact", data)
    return Content("changed", b"" if left is DROPPED else _written(left), secrets)


def encoded(content: Content) -> bytes:
    """The bytes that are sealed."""
    head = _Head(content.form, content.secrets, content.sha256)
    return msgspec.json.encode(head) + b"\n" + content.data


def decoded(plain: bytes) -> Content:
    """What `encoded` wrote. Raises `ValueError` for anything else."""
    line, _, data = plain.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.DecodeError as error:
        raise ValueError("this is no content of a payload") from error
    return Content(head.form, data, head.secrets, head.sha256)


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
