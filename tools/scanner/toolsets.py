"""Rules over all tools of one server: how many, an API's verbs one by one, writing in production. Pure module."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tools.scanner.contradictions import changes
from tools.scanner.fields import Place, Role
from tools.scanner.findings import Confidence, Severity
from tools.scanner.rule import Hit, Rule, parts_of

TOOLS_MOST: Final = 30
_VERBS_LEAST: Final = 3  # of one thing
_THINGS_LEAST: Final = 2
_SHOWN: Final = 5
# What an API's verbs are called in names of tools.
_VERBS: Final[Mapping[str, str]] = {
    word: verb
    for verb, words in {
        "get": "get read fetch retrieve show describe",
        "list": "list search query find",
        "create": "create add post insert new",
        "update": "update edit patch put set modify",
        "delete": "delete remove destroy",
    }.items()
    for word in words.split()
}


def _server(*names: str) -> dict[str, Any]:
    return {"surface": "server", "definition": {"tools": [{"name": name} for name in names]}}


def _production(*names: str) -> dict[str, Any]:
    server = _server(*names)
    return {**server, "definition": {**server["definition"], "environment": "production"}}


MANY: Final = Rule(
    "HF-720", "More than 30 tools in view", "Models choose worse among many tools, and nobody reviews them all; offer"
    " sets of tools that are turned on when needed.", Severity.LOW, Confidence.HIGH, ("MCP02",),
    _server(*(f"step_{number}" for number in range(31))), _server(*(f"step_{number}" for number in range(30))),
)  # fmt: skip
MAPPED: Final = Rule(
    "HF-721", "Tools that are an API's verbs one by one",
    "One task takes many calls and many prompts for permission; people learn to click through. One tool for a task"
    " needs one.", Severity.LOW, Confidence.MEDIUM, ("MCP02", "SAFE-T1104"),
    _server("get_issue", "create_issue", "delete_issue", "get_label", "create_label", "delete_label"),
    _server("create_issue", "merge_branch", "review_changes", "search_code"),
)  # fmt: skip
WRITES: Final = Rule(
    "HF-722", "Production data with tools that write",
    "An agent that is led astray changes or destroys what the business runs on. Give agents an account"
    " that only reads, and writing to those that need it.", Severity.MEDIUM, Confidence.MEDIUM, ("MCP02", "SAFE-T1104"),
    _production("list_orders", "delete_order"), _production("list_orders", "get_order"),
)  # fmt: skip
TOOLSETS: Final = (MANY, MAPPED, WRITES)
_ONLY_WRITES: Final = 0.3  # to write is what many servers in production are for; to destroy is worth a look


def toolset_hits(tools: Any, *, production: bool = False) -> Iterator[Hit]:
    """What the rules find in a server's list of tools."""
    if not isinstance(tools, list):
        return
    named = [tool for tool in tools if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]
    names = [tool["name"] for tool in named]
    place = Place("/tools", Role.NAME, "")
    if production:
        yield from _writing(named, place)
    if len(names) > TOOLS_MOST:
        yield Hit(MANY.id, MANY.weight, place, evidence=f"{len(names)} tools")
    groups = mapped(names)
    if len(groups) >= _THINGS_LEAST:
        count = sum(len(each) for each in groups.values())
        told = "; ".join(f"{thing}: {', '.join(each)}" for thing, each in list(groups.items())[:_SHOWN])
        yield Hit(MAPPED.id, MAPPED.weight, place, evidence=f"{count} tools, {count} prompts for permission: {told}")


def _writing(tools: Iterable[Mapping[str, Any]], place: Place) -> Iterator[Hit]:
    found: dict[str, list[str]] = {"destroys": [], "writes": []}
    for tool in tools:
        if does := _does(tool["name"], tool.get("annotations")):
            found[does].append(tool["name"])
    for does, names in found.items():
        if names:
            weight = WRITES.weight if does == "destroys" else _ONLY_WRITES
            yield Hit(WRITES.id, weight, place, evidence=f"{does}: {', '.join(names[:_SHOWN])} ({len(names)} in all)")
            return


def _does(name: str, annotations: Any) -> str:
    """By its name; its annotations may say that it only reads, or that it destroys."""
    hints = annotations if isinstance(annotations, Mapping) else {}
    if hints.get("readOnlyHint") is True:
        return ""
    does = changes(name)
    return "destroys" if does and hints.get("destructiveHint") is True else does


def mapped(names: Sequence[str]) -> dict[str, list[str]]:
    """Things that have a tool for each of several verbs, with those tools."""
    verbs: dict[str, dict[str, str]] = {}
    for name in names:
        words = [word.lower() for word in parts_of(name[:128])]
        at = next((at for at, word in enumerate(words[:3]) if word in _VERBS), None)
        rest = (words[at + 1 :] or words[:at]) if at is not None else []
        if at is not None and rest:
            verbs.setdefault(_singular(" ".join(rest)), {}).setdefault(_VERBS[words[at]], name)
    return {thing: list(found.values()) for thing, found in verbs.items() if len(found) >= _VERBS_LEAST}


def _singular(text: str) -> str:
    if text.endswith("ies"):
        return f"{text[:-3]}y"
    return text[:-1] if text.endswith("s") and not text.endswith("ss") else text
