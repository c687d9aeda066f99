"""Text for formats whose readers are lines and terminals: nothing in it moves a cursor or hides what follows. Pure."""

import re
from typing import Final

# Controls (the C1 range and the two Unicode line ends as well), and what turns the direction of text or has no width.
_HIDDEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)


def visible(text: str, *, but: str = "") -> str:
    """`text` with each hidden character as `<U+001B>`, but for those that have an escape of their own."""
    return _HIDDEN.sub(lambda match: match[0] if match[0] in but else f"<U+{ord(match[0]):04X}>", text)


def within(text: str, limit: int) -> str:
    """`text` cut to at most `limit` bytes of UTF-8, between characters; what was cut ends in an ellipsis."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= limit:
        return whole.decode()
    return whole[: max(limit - 3, 0)].decode("utf-8", "ignore") + "…"
