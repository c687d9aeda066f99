"""Toxic flows: tools that together read private data, bring in what others wrote, and lead out. Pure module.

Each alone is honest. Whoever holds all three can be made by a page or a mail to send away what is private. What a tool
does is told by its own words; an annotation can add to that, and takes nothing away, because the server wrote it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from itertools import product
from typing import Any, Final

from core.names import canonical_name

PATHS_MAX: Final = 20
_OF_A_LEG: Final = 8  # tools of one leg that paths are made of
_FIRST: Final = re.compile(r"[^.!?\n]{0,200}")
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NAME_MAX: Final = 200


class Leg(StrEnum):
    """What a tool adds to a flow."""

    PRIVATE = "private"  # it reads what is not for everybody
    UNTRUSTED = "untrusted"  # it brings what strangers can write
    OUT = "out"  # through it something can leave


# By what they do: verbs that read, send and write; what strangers can write, what is not for everybody, where others
# read what one writes; and what can do anything.
_WORDS_FOR: Final = {
    "reads": """
        read reads get gets list lists search searches find finds fetch fetches query queries retrieve
        retrieves show shows view views open opens browse browses crawl crawls scrape scrapes load loads
        download downloads export exports lookup look check checks summarize summarizes return returns extract
        extracts select inspect describe dump access accesses watch poll
    """,
    "sends": """
        send sends post posts upload uploads publish publishes forward forwards share shares email emails
        notify notifies tweet push pushes submit submits reply replies invite invites sms fax transmit
        dispatch broadcast
    """,
    "writes": """
        create creates add adds open opens update updates write writes edit edits append
    """,
    "foreign": """
        web website websites page pages url urls internet online html http https browser email emails mail
        mails inbox gmail outlook issue issues comment comments ticket tickets message messages channel chat
        thread tweet tweets review reviews rss feed news article articles forum reddit youtube transcript
        wikipedia pull pr prs discussion discussions attachment attachments
    """,
    "private": """
        email emails mail mails inbox gmail outlook message messages chat file files filesystem document
        documents drive folder directory database databases sql table tables postgres mysql sqlite mongodb row
        rows record records customer customers contact contacts calendar crm secret secrets password passwords
        vault credential credentials memory notes note repository repositories code payroll salary employee
        employees patient patients account accounts transaction transactions invoice invoices clipboard
        screenshot logs environment wiki confluence notion slack jira sharepoint history private internal
        personal
    """,
    "open places": """
        issue issues comment comments pull pr tweet gist page pages event invitation webhook ticket tickets
        discussion
    """,
    "commands": """
        shell bash terminal exec curl powershell
    """,
}
_BY_USE: Final = {use: frozenset(words.split()) for use, words in _WORDS_FOR.items()}
_CARRIES: Final = frozenset(
    {"url", "uri", "href", "link", "endpoint", "webhook", "webhookurl", "callback", "callbackurl"}
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that somebody reaches, and its legs."""

    server: str
    name: str
    legs: frozenset[Leg]

    @property
    def canonical(self) -> str:
        """Server and name, for example `files/read`."""
        return canonical_name(self.server, self.name)


@dataclass(frozen=True, slots=True)
class Path:
    """One way from what is private to the outside, with the tool that lets a stranger ask for it."""

    untrusted: Tool
    private: Tool
    out: Tool

    @property
    def length(self) -> tuple[int, int]:
        """Over how many tools, of how many servers."""
        tools = (self.untrusted, self.private, self.out)
        return len(set(tools)), len({tool.server for tool in tools})


@dataclass(frozen=True, slots=True)
class Flows:
    """What is reached: the tools of each leg, and the first of so many `ways`, over the fewest tools and servers."""

    legs: Mapping[Leg, tuple[Tool, ...]]
    paths: tuple[Path, ...]
    ways: int

    @property
    def is_cut(self) -> bool:
        """Whether there are more paths."""
        return self.ways > len(self.paths)

    @property
    def shortest(self) -> Path | None:
        """The first path, if there is any."""
        return self.paths[0] if self.paths else None

    @property
    def rank(self) -> tuple[int, int, int]:
        """The least is the worst: the shorter a path, and the more of them, the sooner one is walked."""
        return (*self.shortest.length, -self.ways) if self.shortest else (len(Leg) + 1, 0, 0)


def tool_of(server: str, definition: Mapping[str, Any]) -> Tool:
    """A definition's tool, with the legs that its name, first sentence, parameters and annotations speak of."""
    name = definition.get("name")
    name = name if isinstance(name, str) else ""
    return Tool(server, name, frozenset(_legs(name, definition)))


def flows(tools: Iterable[Tool]) -> Flows:
    """Which of `tools` make flows together."""
    ordered = sorted(set(tools), key=lambda tool: (tool.server, tool.name))
    legs = {leg: tuple(tool for tool in ordered if leg in tool.legs) for leg in Leg}
    # Tools with several legs make the shortest paths, so none of them is left out for one with a single leg.
    likely = {leg: sorted(found, key=lambda tool: -len(tool.legs))[:_OF_A_LEG] for leg, found in legs.items()}
    ways = product(likely[Leg.UNTRUSTED], likely[Leg.PRIVATE], likely[Leg.OUT])
    paths = tuple(Path(*way) for way in nsmallest(PATHS_MAX, ways, key=_rank))
    return Flows(legs, paths, len(legs[Leg.UNTRUSTED]) * len(legs[Leg.PRIVATE]) * len(legs[Leg.OUT]))


def _rank(way: tuple[Tool, Tool, Tool]) -> int:
    """The order of `Path.length`, without sets: it is asked of many ways for everybody. Equal tools are one object."""
    first, second, third = way
    one, two, three = first.server, second.server, third.server
    return -4 * ((first is second) + (third is first or third is second)) - (one == two) - (three in (one, two))


def _legs(name: str, definition: Mapping[str, Any]) -> Iterator[Leg]:
    words = set(_words(name[:_NAME_MAX]))
    description = definition.get("description")
    if isinstance(description, str) and (first := _FIRST.match(description.lstrip())):
        words |= set(_words(first[0]))
    carries = bool(_CARRIES & set(_parameters(definition)))
    reads = bool(words & _BY_USE["reads"])
    if reads and words & _BY_USE["private"]:
        yield Leg.PRIVATE
    if reads and (words & _BY_USE["foreign"] or carries or _is_open(definition)):
        yield Leg.UNTRUSTED
    if words & _BY_USE["sends"] or (words & _BY_USE["writes"] and words & _BY_USE["open places"]) or carries:
        yield Leg.OUT
    if words & _BY_USE["commands"]:
        yield from Leg


def _words(text: str) -> Iterator[str]:
    return (word.lower() for word in _WORDS.findall(text))


def _parameters(definition: Mapping[str, Any]) -> Iterator[str]:
    schema = definition.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    for name in list(properties)[:100] if isinstance(properties, Mapping) else ():
        yield "".join(_words(name[:_NAME_MAX]))


def _is_open(definition: Mapping[str, Any]) -> bool:
    annotations = definition.get("annotations")
    return isinstance(annotations, Mapping) and annotations.get("openWorldHint") is True
