"""Rules for the names that people choose in `access`. Pure module; the table's constraints say the same."""

import re
from collections.abc import Iterable
from typing import Final

from core.errors import Invalid
from core.names import is_slug
from core.permissions import Permission
from core.scopes import problem

PERMISSIONS: Final = frozenset(permission.value for permission in Permission)
USERNAME_MAX: Final = 150
NAME_MAX: Final = 120
SCOPES_MAX: Final = 1000
SCOPE_LENGTH_MAX: Final = 1024
REASON_MAX: Final = 2000
TOKEN_MAX: Final = 500  # characters of what is looked up as a token; ours have at most 113
_USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")


def is_username(text: str) -> bool:
    """Whether `text` can be a user name: ASCII letters, digits and `@._+-`, at most 150."""
    return len(text) <= USERNAME_MAX and _USERNAME.fullmatch(text) is not None


def checked_username(text: str) -> str:
    """`text`, if it can be a user name. Raises `Invalid`."""
    if not is_username(text):
        message = "A user name has letters, digits and @ . _ + - only, starts with a letter or digit, at most 150."
        raise Invalid(message, field="username")
    return text


def checked_slug(text: str, *, field: str) -> str:
    """`text`, if it is a slug. Raises `Invalid`."""
    if not is_slug(text):
        raise Invalid("Use lower-case letters, digits and single hyphens, at most 24 characters.", field=field)
    return text


def checked_name(text: str, *, field: str, maximum: int = NAME_MAX) -> str:
    """`text` without surrounding blanks, printable and not empty. Raises `Invalid`."""
    name = text.strip()
    if not name or len(name) > maximum or not name.isprintable():
        raise Invalid(f"Give a name of 1 to {maximum} printable characters.", field=field)
    return name


def checked_reason(text: str) -> str:
    """`text` without surrounding blanks. Raises `Invalid` when nothing, or a book, is left."""
    reason = text.strip()
    if not reason or len(reason) > REASON_MAX or "\0" in reason:
        raise Invalid(f"Give a reason of 1 to {REASON_MAX} characters.", field="reason")
    return reason


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """`scopes`, sorted and unique, if each is a permission or an MCP scope. Raises `Invalid`."""
    wanted = sorted(set(scopes))
    if len(wanted) > SCOPES_MAX:
        raise Invalid(f"At most {SCOPES_MAX} scopes.", field="scopes")
    for scope in wanted:
        sentence = problem(scope) if len(scope) <= SCOPE_LENGTH_MAX else "A scope is longer than any name may be."
        if sentence:
            raise Invalid(sentence, field="scopes")
    return wanted
