"""What is amiss with a value, in words for a model: where, which keyword, what the schema asks for. Pure module.

It holds nothing of the value but names of its members, cut short: it is written into records and shown to models, and
values are secrets. So the library's own sentences are not used.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

PATH_MAX: Final = 300  # characters
_SHOWN: Final = 200  # characters of the schema
_NAME_SHOWN: Final = 64
_NAMES_SHOWN: Final = 5
_NESTED: Final = 8  # alternatives in alternatives
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
# A branch that fails with one of these at the very top was not the one that was meant.
_TELLING_APART: Final = frozenset({"type", "const", "enum"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a value does not fit (`arguments.cities[2]`), the keyword that says so, and a sentence about it."""

    path: str
    rule: str
    message: str


def problem_of(error: ValidationError, subject: str) -> Problem:
    """The problem that an error of the library is about; `subject` is what the value is called."""
    error = _meant(error)
    path = path_text(error.instance_path, subject)
    rule = _rule(error)
    return Problem(path, rule, f"{path} {_said(error.kind)}.")


def path_text(steps: Iterable[str | int], subject: str) -> str:
    """`arguments.cities[2]["odd name"]`, at most 300 characters."""
    text = subject
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _PLAIN_NAME.fullmatch(step) else f"[{_name(step)}]"
        if len(text) > PATH_MAX:
            return f"{text[: PATH_MAX - 1]}…"
    return text


def _meant(error: ValidationError) -> ValidationError:
    """The error inside the one alternative that can have been meant, where there is one."""
    for _ in range(_NESTED):
        branches = getattr(error.kind, "context", None) if error.kind.name in ("anyOf", "oneOf") else None
        likely = [branch[0] for branch in branches or () if branch and not _is_of_another_kind(branch, error)]
        if len(likely) != 1:
            break
        error = likely[0]
    return error


def _is_of_another_kind(branch: list[ValidationError], error: ValidationError) -> bool:
    depth = len(error.instance_path)
    return any(
        len(each.instance_path) <= depth + (each.kind.name != "type") and each.kind.name in _TELLING_APART
        for each in branch
    )


def _rule(error: ValidationError) -> str:
    last = next((step for step in reversed(error.schema_path) if isinstance(step, str)), "")
    named = last in ("additionalProperties", "dependencies", "dependentRequired", "minContains", "maxContains")
    return last if named else error.kind.name


def _said(kind: Kind) -> str:  # noqa: PLR0912 -- a table of sentences
    match kind:
        case Kind.Required(property=name):
            return f"needs the property {_name(name)}"
        case Kind.AdditionalProperties(unexpected=names) | Kind.UnevaluatedProperties(unexpected=names):
            shown = ", ".join(map(_name, names[:_NAMES_SHOWN]))
            return f"takes no property named {shown}"
        case Kind.PropertyNames():
            return "has a property whose name is not allowed"
        case Kind.Type(types=types):
            return f"must be of type {' or '.join(types)}"
        case Kind.Enum(options=options):
            return f"must be one of {_shown(options)[1:-1]}"
        case Kind.Constant(expected_value=expected):
            return f"must be {_shown(expected)}"
        case Kind.Minimum(limit=limit):
            return f"must be at least {_shown(limit)}"
        case Kind.Maximum(limit=limit):
            return f"must be at most {_shown(limit)}"
        case Kind.ExclusiveMinimum(limit=limit):
            return f"must be more than {_shown(limit)}"
        case Kind.ExclusiveMaximum(limit=limit):
            return f"must be less than {_shown(limit)}"
        case Kind.MultipleOf(multiple_of=step):
            return f"must be a multiple of {_shown(step)}"
        case Kind.MinLength(limit=limit):
            return f"must have at least {_shown(limit)} characters"
        case Kind.MaxLength(limit=limit):
            return f"must have at most {_shown(limit)} characters"
        case Kind.MinItems(limit=limit):
            return f"must have at least {_shown(limit)} items"
        case Kind.MaxItems(limit=limit) | Kind.AdditionalItems(limit=limit):
            return f"must have at most {_shown(limit)} items"
        case Kind.MinProperties(limit=limit):
            return f"must have at least {_shown(limit)} properties"
        case Kind.MaxProperties(limit=limit):
            return f"must have at most {_shown(limit)} properties"
        case Kind.Pattern(pattern=pattern):
            return f"must match the pattern {_shown(pattern)}"
        case Kind.AnyOf():
            return "fits none of the alternatives"
        case Kind.OneOfNotValid():
            return "fits none of the alternatives"
        case Kind.OneOfMultipleValid():
            return "fits more than one of the alternatives"
        case Kind.UniqueItems():
            return "must not hold the same item twice"
        case Kind.Contains():
            return "does not hold the right number of items of the kind that is asked for"
        case Kind.UnevaluatedItems():
            return "holds more items than it may"
        case Kind.FalseSchema():
            return "is not allowed"
        case Kind.Not():
            return "has a form that is ruled out"
        case _:
            return "does not fit the schema"


def _name(name: str) -> str:
    cut = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…"
    return json.dumps(cut, ensure_ascii=False)


def _shown(value: Any) -> str:
    """A piece of the schema."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
