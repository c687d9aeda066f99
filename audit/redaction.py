"""What is stored of a call's arguments and results, field by field. Pure module.

A server's setting `capture` says whether its arguments and results are kept at all, and what becomes of their fields:
`{"arguments": true, "result": true, "otherwise": "encrypt", "rules": [{"tool": "search", "part": "arguments",
"pointer": "/arguments/query", "do": "mask"}]}`. The first rule that names a field, or something that it is part of,
decides; `otherwise` decides the rest. Pointers are those of RFC 6901, with `*` for any member or item. Nothing is kept
where the setting is empty. docs/audit-payloads.md has the whole of it.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from audit.payload import Part

RULES_MAX: Final = 64
POINTER_MAX: Final = 500  # characters
ANY: Final = "*"
MASKED: Final = "[masked]"
DROPPED: Final = object()


class Do(StrEnum):
    """What becomes of a field in what is stored."""

    DROP = "drop"
    MASK = "mask"
    HMAC = "hmac"
    ENCRYPT = "encrypt"


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the setting. `tool` is a bare name, `*` for all of them and for what is no tool."""

    part: Part
    pointer: str
    do: Do
    tool: str = ANY


class Capture(Struct, frozen=True, forbid_unknown_fields=True):
    """The setting of a server. `arguments`, `result`: whether anything of them is stored beside its commitment."""

    arguments: bool = False
    result: bool = False
    otherwise: Do = Do.ENCRYPT
    rules: tuple[Rule, ...] = ()

    def of(self, part: Part, tool: str) -> "Fields":
        """What holds for one part of a call of one tool."""
        fitting = [rule for rule in self.rules if rule.part == part and rule.tool in (ANY, tool)]
        return Fields(tuple((_steps(rule.pointer), rule.do) for rule in fitting), self.otherwise)


class Fields(Struct, frozen=True):
    """Rules of one part: the steps of a pointer and what to do, in order; and what else is done."""

    rules: tuple[tuple[tuple[str, ...], Do], ...]
    otherwise: Do


NOTHING: Final = Capture()


def capture_of(value: Any) -> Capture:
    """The setting as it was checked. Raises `ValueError` with a sentence."""
    try:
        found = msgspec.convert(value, Capture)
    except msgspec.ValidationError as error:
        raise ValueError(f"This is no setting of what is kept: {error}.") from error
    if len(found.rules) > RULES_MAX:
        raise ValueError(f"At most {RULES_MAX} rules.")
    for rule in found.rules:
        if len(rule.pointer) > POINTER_MAX or (rule.pointer and not rule.pointer.startswith("/")):
            raise ValueError(f"A pointer begins with / and has at most {POINTER_MAX} characters.")
    return found


def plain(capture: Capture) -> dict[str, Any]:
    """The setting as it is stored and shown; empty where nothing is kept."""
    if capture == NOTHING:
        return {}
    found: dict[str, Any] = msgspec.to_builtins(capture)
    return found


def redacted(value: Any, fields: Fields, digest: Callable[[Any], str]) -> Any:
    """`value` as it may be stored: itself where nothing is to be done, `DROPPED` where all of it is.

    `digest` gives what stands for a value that can be looked for. The value is not changed.
    """
    live = tuple((order, steps, do) for order, (steps, do) in enumerate(fields.rules))
    return _walked(value, live, (len(live), fields.otherwise), digest)


_Live = tuple[tuple[int, tuple[str, ...], Do], ...]


def _walked(value: Any, live: _Live, decided: tuple[int, Do], digest: Callable[[Any], str]) -> Any:
    """`live`: rules that may name this value or what is in it. Only those before the one that decided still count."""
    here = [(order, do) for order, steps, do in live if not steps]
    decided = min([*here, decided], key=lambda found: found[0])
    deeper = tuple(each for each in live if each[1] and each[0] < decided[0])
    if deeper and isinstance(value, Mapping):
        members = {name: _walked(each, _into(deeper, name), decided, digest) for name, each in value.items()}
        if all(members[name] is value[name] for name in value):
            return value
        return {name: each for name, each in members.items() if each is not DROPPED}
    if deeper and isinstance(value, list):
        items = [_walked(each, _into(deeper, str(index)), decided, digest) for index, each in enumerate(value)]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return [each for each in items if each is not DROPPED]
    return _done(value, decided[1], digest)


def _into(live: _Live, name: str) -> _Live:
    return tuple((order, steps[1:], do) for order, steps, do in live if steps[0] in (ANY, name))


def _done(value: Any, do: Do, digest: Callable[[Any], str]) -> Any:
    match do:
        case Do.DROP:
            return DROPPED
        case Do.MASK:
            return MASKED
        case Do.HMAC:
            return f"[hmac: {digest(value)}]"
        case Do.ENCRYPT:
            return value


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
