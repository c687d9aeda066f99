"""One definition as the rules see it: its strings, cut into sentences, and what the tool is for. Pure module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from tools.scanner.clauses import Sentence, sentences
from tools.scanner.fields import Fields, Place, Role, fields
from tools.scanner.purpose import purposes
from tools.scanner.reading import PLAIN, Layer, layers

_PROSE: Final = frozenset(
    {Role.TEXT, Role.TITLE, Role.PARAMETER_TEXT, Role.VALUE, Role.META, Role.INSTRUCTIONS, Role.KEYWORD}
)


@dataclass(frozen=True, slots=True)
class Item:
    """What is scanned: a body of one `surface` (tool, prompt, resource, server_instructions) of one server.

    `neighbours` are bodies that other servers show, each with the `server` that does; `previous` is the approved body.
    """

    body: Mapping[str, Any]
    surface: str = "tool"
    server: str = ""
    neighbours: Sequence[Mapping[str, Any]] = ()
    previous: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """One layer of one string, and its sentences."""

    place: Place
    layer: Layer
    sentences: Sequence[Sentence]

    @property
    def is_hidden(self) -> bool:
        """Whether a reader would not see it as what it says."""
        return self.layer.kind != PLAIN


@dataclass(frozen=True)
class Document:
    """An item, read."""

    item: Item
    read: Fields = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", fields(self.item.body))

    @cached_property
    def name(self) -> str:
        """The definition's name, or nothing."""
        name = self.item.body.get("name")
        return name if isinstance(name, str) else ""

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every layer of every string that may hold prose."""
        found: list[Text] = []
        for place in self.read.places:
            for layer in layers(place.text):
                prose = place.role in _PROSE or layer.kind != PLAIN
                found.append(Text(place, layer, sentences(layer.text) if prose else ()))
        return tuple(found)

    @cached_property
    def purposes(self) -> frozenset[str]:
        """What the tool says that it is for, by its name and the first words of its description."""
        description = self.item.body.get("description")
        return purposes(self.name, description if isinstance(description, str) else "", self.item.server)
