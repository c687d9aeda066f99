"""Annotations that contradict what a tool is called and says that it does. Pure module."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tools.scanner.document import Document
from tools.scanner.findings import Confidence, Severity
from tools.scanner.rule import Hit, Rule, parts_of, words


def _item(name: str, description: str, **annotations: bool) -> dict[str, Any]:
    return {"definition": {"name": name, "description": description, "annotations": annotations}}


READ_ONLY: Final = Rule(
    "HF-401", "Says that it only reads, and writes", "Clients let read-only tools run without asking.", Severity.HIGH,
    Confidence.MEDIUM, ("MCP02", "SAFE-T1406"), _item("delete_user", "Deletes a user.", readOnlyHint=True),
    _item("list_users", "Lists users.", readOnlyHint=True),
)  # fmt: skip
HARMLESS: Final = Rule(
    "HF-402", "Says that it destroys nothing, and destroys", "Clients warn before destructive tools only.",
    Severity.HIGH, Confidence.MEDIUM, ("MCP02", "SAFE-T1406"),
    _item("purge_logs", "Purges logs.", destructiveHint=False), _item("add_log", "Adds a log.", destructiveHint=False),
)  # fmt: skip
CONTRADICTIONS: Final = (READ_ONLY, HARMLESS)

_DESTROYS: Final = words("""
    delete drop purge destroy wipe erase truncate terminate kill overwrite empty flush shred uninstall revoke
""")
_WRITES: Final = _DESTROYS | words("""
    create update remove write send post edit move rename insert merge push upload publish deploy cancel assign
    close submit approve invite archive transfer pay modify replace disable enable restart install patch append
    commit fork grant rotate upsert attach detach star unstar subscribe unsubscribe dismiss reopen lock unlock
    reply comment provision scale book order buy charge refund release unregister block ban mute sign wire
    format
""")
# What often changes nothing that lasts, or only what the tool itself keeps.
_MAY_WRITE: Final = words("""
    execute run save start stop hide record print manage import apply put set add trigger reset clear register
    store
""")
_READS: Final = words("""
    get list search find read fetch query show describe view check count lookup retrieve inspect preview
    validate analyze compare explain download export summarize
""")
_VERBS: Final = _WRITES | _MAY_WRITE | _READS


def contradictions_in(document: Document) -> Iterator[Hit]:
    """What the annotations of a tool deny."""
    annotations = document.item.body.get("annotations")
    place = next((place for place in document.read.places if place.pointer == "/name"), None)
    if not isinstance(annotations, dict) or place is None:
        return
    description = document.item.body.get("description")
    by_name = _verb(parts_of(document.name[:128]))
    by_text = _verb(parts_of(description[:120])[:4] if isinstance(description, str) else ())
    if annotations.get("readOnlyHint") is True and (weight := _denied_writing(by_name, by_text)):
        yield Hit(READ_ONLY.id, weight, place, 0, len(place.text), f"{document.name} is said to be read-only")
    if annotations.get("destructiveHint") is False and {by_name, by_text} & _DESTROYS:
        yield Hit(HARMLESS.id, HARMLESS.weight, place, 0, len(place.text), f"{document.name} is said to be harmless")


def _denied_writing(by_name: str, by_text: str) -> float:
    if by_name in _WRITES:
        return READ_ONLY.weight if by_text in _WRITES or not by_text else 0.5
    if by_name in _MAY_WRITE:
        return 0.42 if by_text in _WRITES else 0.2
    if by_text in _DESTROYS | {"remove", "create", "send"} and by_name not in _READS:
        return 0.5
    return 0.35 if by_text in _WRITES and by_name not in _READS else 0.0


def changes(name: str) -> str:
    """What a tool says by its name that it does to things: `destroys`, `writes`, or nothing of the kind."""
    verb = _verb(parts_of(name[:128]))
    if verb in _DESTROYS:
        return "destroys"
    return "writes" if verb in _WRITES else ""


def _verb(words: Sequence[str]) -> str:
    """The first verb that says what is done, whatever its form."""
    for word in words:
        lower = word.lower()
        for stem in (lower, lower.removesuffix("s"), lower.removesuffix("es"), lower.removesuffix("ies") + "y"):
            if stem in _VERBS:
                return stem
    return ""
