"""Grammar of names: slugs, canonical names, wire names, audit subjects. Pure module.

A slug cannot hold `_` or `/`, so `files__read` splits at its first `__` and `files/read` at its first `/`
without doubt, whatever characters the tool's own name holds.
"""

import hashlib
import re
from typing import Final

SLUG_MAX: Final = 24
SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
WIRE_NAME_MAX: Final = 64  # characters; the shortest limit among model providers
_HASH_LENGTH: Final = 8


def is_slug(text: str) -> bool:
    """Whether `text` is `[a-z0-9]+(-[a-z0-9]+)*` of at most 24 characters."""
    return len(text) <= SLUG_MAX and SLUG.fullmatch(text) is not None


def canonical_name(slug: str, name: str) -> str:
    """`files` and `read` become `files/read`."""
    return f"{slug}/{name}"


def split_canonical(text: str) -> tuple[str, str] | None:
    """Namespace and name of a canonical name, or None where there is no namespace."""
    slug, slash, name = text.partition("/")
    return (slug, name) if slash and name and is_slug(slug) else None


def wire_name(slug: str, name: str) -> str:
    """The name that aggregate lists show: `files__read`, shortened with a hash past 64 characters."""
    full = f"{slug}__{name}"
    if len(full) <= WIRE_NAME_MAX:
        return full
    tag = hashlib.sha256(full.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{full[: WIRE_NAME_MAX - _HASH_LENGTH - 1]}_{tag}"


def subject(kind: str, *parts: str) -> str:
    """The audit subject of a thing: `server:files`, `tool:files/read`."""
    return f"{kind}:{'/'.join(parts)}"
