"""Regular expressions of a schema: a linear engine where it can read them, bounded steps for look-around. Pure module.

Widespread generators write look-ahead into the pattern of an e-mail address, so refusing it would refuse honest tools.
Such a pattern is matched with short texts only and gives up after some steps, which counts as no match. Under `not`
and the like no match would let the value through, so there it is refused.
"""

from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import FancyRegexOptions, RegexOptions, ValidationError

from gateway.weight import Schema, Unbounded, Weight

LOOKING_TEXT_MAX: Final = 1_000  # characters; each step may read all of them
LOOKING_STEPS: Final = 4_000
_PROGRAM_BYTES: Final = 10_000_000  # of one compiled expression

ENGINE: Final = RegexOptions(size_limit=_PROGRAM_BYTES)
LOOKING_ENGINE: Final = FancyRegexOptions(backtrack_limit=LOOKING_STEPS, size_limit=_PROGRAM_BYTES)


def looking_patterns(weight: Weight) -> frozenset[str]:
    """The patterns that need look-around or back references. Raises `Unbounded` where a match cannot be bounded."""
    found = _looking_in(weight.reached)
    if found and _looking_in(weight.turned()):
        raise Unbounded("A pattern with look-around stands under not, if, oneOf or contains.")
    if any(name in found for schema in weight.reached for name in _names(schema)):
        raise Unbounded("A pattern with look-around names properties.")
    return found


def bounded(weight: Weight, looking: frozenset[str]) -> Schema:
    """The schema in which each pattern of `looking` meets short texts only; a longer one fails.

    Whether a keyword beside it is judged first is up to the library; what stands under `then` is judged last.
    """
    reached = {id(schema) for schema in weight.reached}

    def rebuilt(node: Any) -> Any:
        if isinstance(node, list):
            return [rebuilt(item) for item in node]
        if not isinstance(node, dict):
            return node
        made = {key: rebuilt(item) for key, item in node.items()}
        if id(node) in reached and node.get("pattern") in looking:
            short = {"maxLength": LOOKING_TEXT_MAX}
            guarded = {"if": short, "then": {"pattern": made.pop("pattern")}, "else": short}
            made["allOf"] = [*made.get("allOf", ()), guarded]
        return made

    made: Schema = rebuilt(weight.schema)
    return made


def _looking_in(schemas: Any) -> frozenset[str]:
    patterns = {
        text for schema in schemas for text in (schema.get("pattern"), *_names(schema)) if isinstance(text, str)
    }
    return frozenset(text for text in patterns if not _compiles(text, ENGINE) and _compiles(text, LOOKING_ENGINE))


def _names(schema: Schema) -> tuple[str, ...]:
    named = schema.get("patternProperties")
    return tuple(named) if isinstance(named, dict) else ()


def _compiles(pattern: str, engine: RegexOptions | FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=engine, offline=True)
    except ValidationError:
        return False
    return True
