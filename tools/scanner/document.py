"""One definition as the rules see it: its strings, cut into sentences, and what the tool is for. Pure module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from tools.scanner.clauses import Sentence, sentences
from tools.scanner.fields import Fields, Place, Role, fields
from tools.scanner.looks import Looks
from tools.scanner.prose import Prose
from tools.scanner.purpose import purposes
from tools.scanner.reading import LAYERS_MAX, PLAIN, Layer, layers

HIDDEN_MAX: Final = 12_288  # characters of all that a definition hides; honest ones hide up to 1,700
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


class Text(Struct, frozen=True, dict=True):
    """One layer of one string."""

    place: Place
    layer: Layer
    is_prose: bool = True

    @cached_property
    def sentences(self) -> Sequence[Sentence]:
        """Its sentences; of what is no prose none."""
        return sentences(self.layer.text) if self.is_prose else ()

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
        known: dict[str, tuple[Layer, ...]] = {}
        hidden = 0
        for place in self.read.places:
            read = known.get(place.text)
            if read is None:
                read = known[place.text] = layers(place.text)
                self.looks.is_cut = self.looks.is_cut or len(read) == LAYERS_MAX or read[0].is_cut
            is_prose = place.role in _PROSE
            found.append(Text(place, read[0], is_prose))
            for layer in read[1:]:
                hidden += len(layer.text)
                if hidden > HIDDEN_MAX:
                    self.looks.is_cut = True
                    break
                found.append(Text(place, layer))
        return tuple(found)

    @cached_property
    def prose(self) -> Prose:
        """The sentences of all texts that are prose."""
        return Prose(text.layer.text if text.is_prose else "" for text in self.texts)

    @cached_property
    def looks(self) -> Looks:
        """How many places may still be looked at closely."""
        return Looks()

    @property
    def unread(self) -> int:
        """How much of it was too much to read, of what was asked for so far."""
        return self.read.unread + self.prose.is_cut + self.looks.is_cut

    @cached_property
    def purposes(self) -> frozenset[str]:
        """What the tool says that it is for, by its name and the first words of its description."""
        description = self.item.body.get("description")
        return purposes(self.name, description if isinstance(description, str) else "", self.item.server)
