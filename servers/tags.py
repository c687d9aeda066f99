"""Tags: the words that people mark a server with to find it, its tools and its reviews. Nothing decides by them."""

import re
from typing import Any, Final

from core.errors import Invalid

TAG_MAX: Final = 40  # characters
TAGS_MAX: Final = 20  # of one server
_TAG: Final = re.compile(rf"[A-Za-z0-9_:.-]{{1,{TAG_MAX}}}")  # ASCII, so that no two look alike
_ECHOED: Final = 60  # characters of what is no tag, in the sentence that says so


def plain_tag(text: str) -> str:
    """A tag as it is kept and looked for."""
    return text.strip().lower()


def tags_of(value: Any) -> list[str]:
    """The tags that somebody gave, as they are kept: each once, in order. Raises `Invalid`."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise Invalid("Tags are a list of words.", field="tags")
    found = sorted({_tag(each) for each in value})
    if len(found) > TAGS_MAX:
        raise Invalid(f"A server has at most {TAGS_MAX} tags.", field="tags")
    return found


def _tag(text: str) -> str:
    if _TAG.fullmatch(text.strip()) is None:
        raise Invalid(
            f"{text[:_ECHOED]!a} is no tag: one has 1 to {TAG_MAX} letters from a to z, digits, and - _ : . only.",
            field="tags",
        )
    return plain_tag(text)
