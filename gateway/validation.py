"""Values against JSON Schemas that strangers wrote: a tool's arguments and its structured result. Pure module.

Nothing is ever fetched: by default the library would call any address that a `$ref` names. What a schema may cost is
known before it is compiled (`gateway.weight`), and so is what matching its patterns may (`gateway.patterns`). The
dialect is the one that `$schema` names (drafts 4 to 2020-12; none: 2020-12); `format` is an annotation in all of them.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NoReturn

import jsonschema_rs
from jsonschema_rs import FancyRegexOptions, RegexOptions, ValidationError

from gateway.patterns import ENGINE, LOOKING_ENGINE, LOOKING_STEPS, LOOKING_TEXT_MAX, bounded, looking_patterns
from gateway.problems import Problem, problem_of
from gateway.weight import Schema, Unbounded, Weight

VISITS_MAX: Final = 10_000  # of one place, for any schema
WORK_MAX: Final = 2_000_000  # visits of all places of one value
FREE_VISITS: Final = 16  # so light that values need no weighing
EXPLAINED_MAX: Final = 5_000  # visits; what is said of each is made with copies of the value
PATTERNS_MAX: Final = 5_000  # see `tools.schemas.pattern_cost`
FREE_PATTERNS: Final = 2_000
TEXT_WORK_MAX: Final = 1_000_000_000  # characters of a value times cost of patterns
LOOKING_WORK_MAX: Final = 200_000_000  # steps times characters
COMPILED_BYTES: Final = 8_000_000  # of the schemas that are held compiled, by the estimate of `Validator.size`
QUICK_SECONDS: Final = 0.0005  # of processor time; what takes longer to compile stays compiled, so no call waits for it
_MASK: Final = "the value"  # what the library says instead of the value
_SHOWN: Final = 200  # characters
_encoded: Final = json.JSONEncoder(separators=(",", ":")).encode
_WITHOUT_IF: Final = (jsonschema_rs.Draft4Validator, jsonschema_rs.Draft6Validator)


class Unusable(ValueError):
    """Nothing can be validated against the schema, so what it belongs to is not served. `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class _Size:
    """JSON values in a value, their nesting, its characters, and those in texts that look-around may see."""

    places: int
    depth: int
    characters: int
    short: int


class Validator:
    """A schema that was compiled. `subject` is what messages call the value, such as `arguments`.

    What it was compiled to may be let go (`_Held`) and is made again for the next value, of the same schema's text.
    """

    __slots__ = ("_by_depth", "_compiled", "_is_light", "_looking", "_patterns", "_subject", "_text", "_visits")

    def __init__(self, schema: Schema, weight: Weight, *, looking: int, subject: str) -> None:
        """Raises `ValidationError` where `schema` cannot be compiled."""
        self._text = _encoded(schema)
        self._visits, self._by_depth, self._patterns = weight.visits, weight.by_depth, weight.patterns
        self._looking = looking
        self._subject = subject
        self._is_light = weight.visits <= FREE_VISITS and weight.patterns <= FREE_PATTERNS and not looking
        began = time.thread_time()
        self._compiled: jsonschema_rs.Validator | None = self._compile(schema)
        if time.thread_time() - began <= QUICK_SECONDS:
            _held.put(self)

    @property
    def size(self) -> int:
        """Bytes that it takes while it is compiled, about. Expressions with many classes of Unicode take far more."""
        return 1_000 + 25 * len(self._text) + 700 * self._patterns

    @property
    def is_held(self) -> bool:
        """Whether the next value finds it compiled."""
        return self._compiled is not None

    def let_go(self) -> None:
        """Give the memory back that it takes to be compiled. Thread-safe."""
        self._compiled = None

    def needs_draft_7(self) -> bool:
        """Whether its dialect knows no `if`."""
        return isinstance(self._current(), _WITHOUT_IF)

    def _current(self) -> jsonschema_rs.Validator:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = self._compile(json.loads(self._text))
            _held.put(self)
        return compiled

    def _compile(self, schema: Schema) -> jsonschema_rs.Validator:
        return _by_library(schema, LOOKING_ENGINE if self._looking else ENGINE)

    def first_problem(self, value: Any) -> Problem | None:
        """The first thing amiss, or None where `value` fits."""
        try:
            if self._is_light and self._fits(value):  # as most do
                return None
            found = self._problems(value, 1)
        except (ValueError, RecursionError):  # see `problems`
            found = self._problems_in_plain(value, 1)
        return found[0] if found else None

    def problems(self, value: Any, limit: int = 5) -> list[Problem]:
        """What is amiss, at most `limit` things; empty where `value` fits. Raises nothing that a value can cause."""
        try:
            return self._problems(value, limit)
        except (ValueError, RecursionError):
            # The library knows no subclass of float (`jsonrpc.ExactFloat`); it is judged as the float that it is.
            return self._problems_in_plain(value, limit)

    def _problems_in_plain(self, value: Any, limit: int) -> list[Problem]:
        try:
            return self._problems(_plain(value), limit)
        except (ValueError, RecursionError):
            return [self._whole("cannot be checked against the schema")]

    def _problems(self, value: Any, limit: int) -> list[Problem]:
        if not self._is_light and self._is_too_much(_size(value, WORK_MAX // self._visits)):
            return [self._whole("is too large to be checked against this schema")]
        if self._fits(value):
            return []
        if not self._is_explained(_size(value, EXPLAINED_MAX)):
            return [self._whole("does not fit the schema")]
        errors = self._first_error(value) if limit == 1 else self._current().iter_errors(value)
        found = [problem_of(error, self._subject) for error in islice(errors, limit)]
        return found or [self._whole("does not fit the schema")]

    def _fits(self, value: Any) -> bool:
        compiled = self._compiled
        if compiled is None:
            compiled = self._current()
        try:
            return compiled.is_valid(value)
        except BaseException as error:
            if is_panic(error):
                return False
            raise

    def _first_error(self, value: Any) -> list[ValidationError]:
        """Found without looking for the others, which takes as long as all of them together."""
        try:
            self._current().validate(value)
        except ValidationError as error:
            return [error]
        return []

    def _is_explained(self, size: _Size) -> bool:
        if self._by_depth and size.depth >= len(self._by_depth):
            return False
        visits = self._by_depth[size.depth] if self._by_depth else self._visits
        return (size.places + size.characters // 1000) * visits <= EXPLAINED_MAX

    def _is_too_much(self, size: _Size) -> bool:
        return (
            size.places * self._visits > WORK_MAX
            or size.characters * self._patterns > TEXT_WORK_MAX
            or size.short * self._looking * LOOKING_STEPS > LOOKING_WORK_MAX
        )

    def _whole(self, what: str) -> Problem:
        return Problem(self._subject, "", f"{self._subject} {what}.")


class _Held:
    """Schemas that are compiled quickly, held so while they are no more than `COMPILED_BYTES`; the first leave first.

    Not what was used least: to know that, each call would pay. Used by several threads.
    """

    def __init__(self) -> None:
        self._held: deque[Validator] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def put(self, validator: Validator) -> None:
        """It was compiled just now."""
        with self._lock:
            self._held.append(validator)
            self._size += validator.size
            while self._size > COMPILED_BYTES and len(self._held) > 1:
                oldest = self._held.popleft()
                self._size -= oldest.size
                oldest.let_go()


_held: Final = _Held()


def compile_schema(schema: Any, *, subject: str = "arguments") -> Validator:
    """A validator for `schema`, an object or a boolean. Raises `Unusable`."""
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        raise Unusable("The schema is no object.")
    try:
        return _compiled(schema, subject)
    except Unbounded as error:
        raise Unusable(str(error)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise Unusable(f"The schema is not valid: {_first_line(error)}") from error
    except BaseException as error:
        if is_panic(error):
            raise Unusable("The schema cannot be compiled.") from error
        raise


def result_problem(output: Validator | None, result: Mapping[str, Any]) -> Problem | None:
    """What is amiss with the result of `tools/call` by the tool's output schema (None: it has none).

    MCP 2026-07-28, tools, "Output Schema": structured results must conform to it. A failure has no structure to keep.
    """
    if output is None or result.get("isError") is True:
        return None
    if "structuredContent" not in result:
        return Problem("result", "required", "The result has no structuredContent, which the output schema asks for.")
    return output.first_problem(result["structuredContent"])


def is_panic(error: BaseException) -> bool:
    """Whether the library gave up; its panics arrive as a BaseException that cannot be imported."""
    return type(error).__name__ == "PanicException"


def _compiled(schema: Schema, subject: str) -> Validator:
    weight = Weight(schema)
    if weight.visits > VISITS_MAX or weight.patterns > PATTERNS_MAX:
        raise Unbounded("Checking a value against the schema would take too long.")
    try:
        return Validator(schema, weight, looking=0, subject=subject)
    except ValidationError:
        looking = looking_patterns(weight)
        if not looking:
            raise
    validator = Validator(bounded(weight, looking), weight, looking=len(looking), subject=subject)
    if validator.needs_draft_7():
        raise Unbounded("A pattern with look-around is taken in draft 7 and later only.")
    return validator


def _by_library(schema: Schema, engine: RegexOptions | FancyRegexOptions) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        dict(schema), retriever=_never, pattern_options=engine, validate_formats=False, mask=_MASK
    )


def _never(uri: str) -> NoReturn:
    """Stands where the library would fetch what a `$ref` names."""
    raise ValueError("nothing is fetched")


def _first_line(error: BaseException) -> str:
    place = "".join(f"/{step}" for step in error.instance_path) if isinstance(error, ValidationError) else ""
    return f"{place} {str(error).partition(chr(10))[0]}".strip()[:_SHOWN]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, float) else value


def _size(value: Any, enough: int) -> _Size:
    """The size of `value`; counting ends where there are more than `enough` places."""
    places = depth = characters = short = 0
    level = [value]
    while level:
        places += len(level)
        if places > enough:
            break
        depth += 1
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                characters += sum(map(len, node))
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str):
                characters += len(node)
                short += len(node) if len(node) <= LOOKING_TEXT_MAX else 0
            elif isinstance(node, int):
                places += node.bit_length() >> 8  # comparing thousands of digits takes as long as many visits
        level = below
    return _Size(places, depth - 1, characters, short)
