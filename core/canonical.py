"""Canonical JSON (RFC 8785) of values that other people sent, big integers included. Pure module.

RFC 8785 rests on I-JSON and refuses integers beyond 2**53. A `u64` bound in a schema is common, so such
integers enter as tagged strings, and a string that would read as such a tag is tagged itself: the mapping
stays injective.

What is neither tagged nor written otherwise by ECMAScript than by Python, which is nearly everything, takes the
standard library's encoder: the same bytes four times sooner, and every definition is canonicalised at every look.
"""

import json
from typing import Any, Final

import rfc8785

_LIMIT: Final = 2**53 - 1
_TAG: Final = "\u0000int:"
_ESCAPE: Final = "\u0000str:"
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of `value`.

    Raises `ValueError` for what JSON cannot hold (NaN, infinities, lone surrogates, other types).
    """
    try:
        return _encode(value).encode() if _is_plain(value) else rfc8785.dumps(_tagged(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValueError(f"no canonical form: {error}") from error


def untagged(value: Any) -> Any:
    """What went into `canonical_bytes`, from the JSON that came out of it."""
    if isinstance(value, dict):
        return {_untagged_text(key): untagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [untagged(item) for item in value]
    if isinstance(value, str):
        return int(value.removeprefix(_TAG)) if value.startswith(_TAG) else _untagged_text(value)
    # Beyond I-JSON an integer is tagged: what looks like one was written by a float.
    return float(value) if type(value) is int and abs(value) > _LIMIT else value


def _untagged_text(text: str) -> str:
    return text.removeprefix(_ESCAPE)


def _is_plain(value: Any) -> bool:
    """Whether both encoders write `value` alike.

    That is: no floats, whose notation differs; no keys beyond ASCII, whose order does (by code point, by UTF-16 code
    unit); nothing that `_tagged` would change; no subclasses, which could write themselves differently.
    """
    kind = type(value)
    if kind is str:
        return not value.startswith("\0")
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(key) and _is_plain(value[key]) for key in value)
    if kind is list:
        return all(map(_is_plain, value))
    return kind is bool or value is None or (kind is int and abs(value) <= _LIMIT)


def _tagged(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    if isinstance(value, str):
        return _tagged_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LIMIT:
        return f"{_TAG}{value}"
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError("no canonical form: a key that is not text")  # noqa: TRY004 -- one error for all of it
    return _tagged_text(key)


def _tagged_text(text: str) -> str:
    return f"{_ESCAPE}{text}" if text.startswith((_TAG, _ESCAPE)) else text
