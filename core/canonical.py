"""Canonical JSON (RFC 8785) of values that other people sent, big integers included. Pure module.

RFC 8785 rests on I-JSON and refuses integers beyond 2**53. A `u64` bound in a schema is common, so such
integers enter as tagged strings, and a string that would read as such a tag is tagged itself: the mapping
stays injective.
"""

from typing import Any, Final

import rfc8785

_LIMIT: Final = 2**53 - 1
_TAG: Final = "\u0000int:"
_ESCAPE: Final = "\u0000str:"


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of `value`.

    Raises `ValueError` for what JSON cannot hold (NaN, infinities, lone surrogates, other types).
    """
    try:
        return rfc8785.dumps(_tagged(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValueError(f"no canonical form: {error}") from error


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
