"""How like two definitions are, whatever they are called. Pure module.

`sketch` gives a few numbers that are stored: definitions of like content share some of them, so that an index finds
the likely relatives among all known ones. `likeness` compares two of them in percent. Both see through decoration:
case, accents, invisible characters, letters that look like Latin ones and the order of keys make no difference, and
the name has no part in what is said. Both are bounded whatever the text is: input is cut, long texts are sampled, and
nothing but names is compared character by character.

What they do not see through: the same said in other words, with other arguments and under another name; and a little
text in very much filling. Such a definition is new, and held, all the same.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from heapq import nsmallest
from itertools import pairwise
from typing import Any, Final

from tools.visible import unseen

LIKE_FROM: Final = 60  # percent; less is no resemblance
SKETCH_MAX: Final = 17  # numbers in a sketch
TEXT_MAX: Final = 32_768  # characters of one definition that are read
NODES_MAX: Final = 5_000  # values of one definition's JSON that are visited
_NAME_MAX: Final = 128
_STEP_MAX: Final = 64  # characters of a property's name
_STEPS_MAX: Final = 8  # of a path; what lies deeper is compared by its last steps
_FEATURES_MAX: Final = 1_024  # of one sort; of more, those with the smallest hashes stand for all
_WORDING_KEYS: Final = 12
_SCHEMA_KEYS: Final = 4
_SHINGLE: Final = 3
# What has fewer words and fewer paths says too little: half of all tools would be like each other.
_WORDS_MIN: Final = 5
_PATHS_MIN: Final = 4
# At least so many words and pairs may be found in a longer text and count as like it, although much was added.
_CONTAINED_MIN: Final = 12
_CONTAINED: Final = 0.9
_WORDING_ALONE: Final = 0.8

_FIRST: Final = ("description", "instructions", "title")  # read first, so that nothing pushes them over the limit
_SCHEMAS: Final = {"inputSchema": "in", "outputSchema": "out"}
_LEFT_OUT: Final = frozenset({
    "_meta", "authorization", "capabilities", "endpoint", "icons", "mimeType", "name", "serverInfo", "uri",
    "uriTemplate", "version",
})  # fmt: skip
_NO_WORDS: Final = frozenset({"$id", "$ref", "$schema", "format", "required", "type"})  # in schemas
_NO_STEPS: Final = frozenset({"properties", "items", "[]"})
# Letters that look like Latin ones (the plain cases of Unicode TR39: Cyrillic, Greek, Armenian), after case folding.
_LOOK_ALIKES: Final = {
    "a": "\u0430\u03b1", "b": "\u0432\u03b2", "c": "\u0441\u03f2", "d": "\u0501", "e": "\u0435\u03b5",
    "g": "\u0581", "h": "\u04bb\u043d\u0570", "i": "\u0456\u03b9", "j": "\u0458\u03f3", "k": "\u043a\u03ba",
    "l": "\u04cf", "m": "\u043c", "n": "\u03b7\u0578", "o": "\u043e\u03bf\u0585", "p": "\u0440\u03c1",
    "q": "\u051b", "s": "\u0455", "t": "\u0442\u03c4", "u": "\u03c5\u057d", "v": "\u0475\u03bd",
    "w": "\u051d\u03c9", "x": "\u0445\u03c7", "y": "\u0443",
}  # fmt: skip
LATIN: Final = {ord(other): latin for latin, others in _LOOK_ALIKES.items() for other in others}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# A word; in scripts that put no spaces between words, every character is one.
_WORDS: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whole percent: overall, and of names, wordings and schemas."""

    overall: int
    name: int
    wording: int
    schema: int


@dataclass(frozen=True, slots=True)
class Features:
    """What `compare` needs of one definition: some kilobytes at most, however long its text is."""

    name: str
    wording: frozenset[int]
    schema: frozenset[int]
    telling: bool  # whether there is enough of it for likeness to mean anything


def sketch(body: Mapping[str, Any]) -> list[int]:
    """At most `SKETCH_MAX` numbers of 63 bits, the same for ever; none of what says too little.

    The smallest hashes of three words in a row and of neighbouring paths of the schemas, and one of the name.
    """
    texts, paths = _content(body)
    if not _is_telling(texts, paths):
        return []
    shingles = {" ".join(words[at : at + _SHINGLE]) for words in texts for at in range(max(1, len(words) - 2))}
    ordered = sorted(paths)
    neighbours = (f"{one} {next_one}" for one, next_one in pairwise(ordered))
    keys = [
        *nsmallest(_WORDING_KEYS, (_hash(f"words {shingle}") for shingle in shingles)),
        *nsmallest(_SCHEMA_KEYS, (_hash(f"paths {pair}") for pair in neighbours)),
    ]
    if name := folded_name(_name(body)):
        keys.append(_hash(f"name {name}"))
    return sorted(set(keys))


def likeness(first: Mapping[str, Any], second: Mapping[str, Any]) -> Likeness:
    """How like two bodies are."""
    return compare(features(first), features(second))


def features(body: Mapping[str, Any]) -> Features:
    """Read one body for `compare`."""
    texts, paths = _content(body)
    pairs = (f"{one} {next_one}" for words in texts for one, next_one in pairwise(words))
    wording = {word for words in texts for word in words}.union(pairs)
    return Features(folded_name(_name(body)), _sampled(wording), _sampled(paths), _is_telling(texts, paths))


def compare(first: Features, second: Features) -> Likeness:
    """How like two definitions are; the same whichever comes first.

    Overall is half wording, three tenths schema, two tenths name; where neither has a schema, three quarters wording
    and one quarter name. Enough wording counts by itself too, so that other arguments do not hide it.
    """
    name = _same_letters(first.name, second.name)
    wording = _same_wording(first.wording, second.wording)
    schema = _jaccard(*_comparable(first.schema, second.schema))
    overall = 0.25 * name + 0.75 * wording
    if first.schema or second.schema:
        overall = 0.2 * name + 0.5 * wording + 0.3 * schema
    if min(len(first.wording), len(second.wording)) >= _CONTAINED_MIN:
        overall = max(overall, _WORDING_ALONE * wording)
    return Likeness(round(100 * overall), round(100 * name), round(100 * wording), round(100 * schema))


def folded_name(name: object) -> str:
    """A name without case, separators and disguise: `readFile`, `read_file` and `Read-File` are one."""
    return "".join(_WORDS.findall(_folded(name[:_NAME_MAX]))) if isinstance(name, str) else ""


def _name(body: Mapping[str, Any]) -> object:
    about = body.get("serverInfo")  # of a server's card
    return about.get("name") if isinstance(about, Mapping) else body.get("name")


def _is_telling(texts: Iterable[Iterable[str]], paths: set[str]) -> bool:
    return len(paths) >= _PATHS_MIN or len({word for words in texts for word in words}) >= _WORDS_MIN


def _content(body: Mapping[str, Any]) -> tuple[list[list[str]], set[str]]:
    """The words of each text, and what the schemas ask for as folded paths."""
    texts: list[list[str]] = []
    paths: set[str] = set()
    left = TEXT_MAX
    for root, steps, text in _strings(body):
        if root in _SCHEMAS or root == "arguments":
            paths.update(_paths(root, steps, text))
        if left > 0 and _is_wording(root, steps):
            words = _WORDS.findall(_folded(text[:left]))
            left -= len(text)
            texts += [words] if words else []
    return texts, paths


def _is_wording(root: str, steps: tuple[str, ...]) -> bool:
    if root in _SCHEMAS:
        keywords = [step for step in steps[-2:] if step != "[]"]
        return not keywords or keywords[-1] not in _NO_WORDS
    return root != "arguments" or steps[-1:] != ("name",)


def _paths(root: str, steps: tuple[str, ...], text: str) -> Iterator[str]:
    """What one string of a schema says of its shape: that something is there, its type, that it is required."""
    if root == "arguments":
        if steps[-1:] == ("name",):
            yield f"argument {_step(text)}"
        return
    while steps and steps[-1] == "[]":
        steps = steps[:-1]
    keyword = steps[-1] if steps else ""
    path = ".".join([_SCHEMAS[root], *(_step(step) for step in steps[:-1] if step not in _NO_STEPS)])
    if path != _SCHEMAS[root]:
        yield path
    if keyword == "required":
        yield f"{path}.{_step(text)} required"
    elif keyword in ("type", "$ref", "enum", "const") and path != _SCHEMAS[root]:
        yield f"{path} {text[:_STEP_MAX]}"


def _step(name: str) -> str:
    return "".join(_WORDS.findall(_folded(name[:_STEP_MAX])))


Node = tuple[str, tuple[str, ...], Any]  # the field of the body, the last steps below it, a value


def _strings(body: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Every string of what is compared, the outermost first, so that nothing deep inside hides a description."""
    fields = sorted(body.keys() - _LEFT_OUT, key=lambda field: (field not in _FIRST, field))
    level: list[Node] = [(field, (), body[field]) for field in fields]
    left = NODES_MAX
    while level and left > 0:
        level, left = level[:left], left - len(level)
        yield from (node for node in level if isinstance(node[2], str))
        level = [below for node in level for below in _below(node)][: max(0, left)]


def _below(node: Node) -> Iterator[Node]:
    root, steps, value = node
    if isinstance(value, Mapping):
        for key in sorted(value)[:NODES_MAX]:
            yield root, (*steps, key)[-_STEPS_MAX:], value[key]
    elif isinstance(value, list):
        for item in value[:NODES_MAX]:
            yield root, (*steps, "[]")[-_STEPS_MAX:], item


def _folded(text: str) -> str:
    """Without case, accents, unseen characters and disguised letters; time is linear in the length of `text`.

    Marks go before normalising as well as after it: very many of them in a row take quadratic time to put in order.
    A character may become eighteen, so what comes out is cut as well.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_SEEN))[:TEXT_MAX].translate(_SEEN)
    text = _CAMEL.sub(" ", text).casefold()
    return text if text.isascii() else text.translate(LATIN)


class _Seen:
    """A table for `str.translate` that drops accents and what is not seen."""

    def __getitem__(self, point: int) -> str | None:
        return _seen(point)


_SEEN: Final = _Seen()


@lru_cache(maxsize=65_536)
def _seen(point: int) -> str | None:
    char = chr(point)
    if char.isspace():
        return " "
    return None if unicodedata.category(char) in ("Mn", "Me") or unseen(char) else char


def _hash(text: str) -> int:
    """63 bits, so that PostgreSQL's `bigint` holds it. Half of a surrogate pair is a character here."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def _sampled(parts: Iterable[str]) -> frozenset[int]:
    return frozenset(nsmallest(_FEATURES_MAX, {_hash(part) for part in parts}))


def _comparable(first: frozenset[int], second: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
    """Both up to the hash below which both are whole: a sample compares with the like sample only."""
    limits = [max(each) for each in (first, second) if len(each) == _FEATURES_MAX]
    if not limits:
        return first, second
    limit = min(limits)
    return frozenset(key for key in first if key <= limit), frozenset(key for key in second if key <= limit)


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if first or second else 1.0


def _same_wording(first: frozenset[int], second: frozenset[int]) -> float:
    """Shared words and pairs of all; or nearly all of the shorter text found in the longer one."""
    one, other = _comparable(first, second)
    fewer = min(len(one), len(other))
    contained = len(one & other) / fewer if fewer >= _CONTAINED_MIN else 0.0
    return max(_jaccard(one, other), _CONTAINED * contained)


def _same_letters(first: str, second: str) -> float:
    """Twice the longest common subsequence by the letters of both. Bit-parallel: one step per letter of one side."""
    if first == second:
        return 1.0
    places: dict[str, int] = {}
    for place, letter in enumerate(first):
        places[letter] = places.get(letter, 0) | 1 << place
    whole = rows = (1 << len(first)) - 1
    for letter in second:
        matches = rows & places.get(letter, 0)
        rows = ((rows + matches) | (rows - matches)) & whole
    return 2 * (whole ^ rows).bit_count() / (len(first) + len(second))
