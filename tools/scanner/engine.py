"""All rules over one item, and what they come to. Pure module.

Each hit has a weight: the rule's, less where the tool's purpose or the sentence explains it, more where it is hidden
or stands where no order belongs. Different rules in one string add up (each takes its share of what is left to 1);
what other strings have counts half. From 0.9 the risk is critical, from 0.75 high, from 0.4 medium.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from tools.scanner.act import Act
from tools.scanner.acts import Told, acts_among, acts_in
from tools.scanner.changes import changes_in
from tools.scanner.clauses import Sentence
from tools.scanner.contradictions import contradictions_in
from tools.scanner.document import Document, Item, Text
from tools.scanner.fields import Role
from tools.scanner.findings import Confidence, Found, Severity, around, as_evidence
from tools.scanner.lexicon import CLASSES
from tools.scanner.marks import authority_at, marks_in
from tools.scanner.names import names_in
from tools.scanner.parameters import parameters_in
from tools.scanner.rule import Hit

HIGH_FROM: Final = 0.75
MEDIUM_FROM: Final = 0.4
CRITICAL_FROM: Final = 0.9
FOUND_MAX: Final = 50
_TIMES_MAX: Final = 20  # of one rule in one string; the strongest of them counts
_WEAK_BELOW: Final = 0.3
_WEAK_MOST: Final = 0.35  # what weak hits come to together
_MENTION_WORDS: Final = 12
_DENIED_WORDS: Final = 4
_TURNS: Final = frozenset({"but", "please", "however", "simply", "just"})  # what is denied before them ends there
_CODED: Final = re.compile(r"[\d_.-]|[a-z][A-Z]")  # how names are written, and words are not
_NAMED_MAX: Final = 8_192  # characters of one string; longer ones are read once only, without the name
_ITSELF: Final = CLASSES["this_tool"] | CLASSES["here"]
_NOT_PROSE: Final = frozenset({Role.VALUE, Role.TITLE, Role.KEYWORD, Role.META})
_RESPELLED: Final = frozenset({"letters with gaps", "digits for letters"})
_QUOTES: Final = "\"'`\u201c\u2018\u00ab"


@dataclass(frozen=True, slots=True)
class Report:
    """What the rules come to for one item. `score`: 0 to 1; `unread`: how much of it was too much to read."""

    score: float
    risk: str  # none, low, medium, high, critical
    findings: tuple[Found, ...]
    unread: int


def scan_item(item: Item) -> Report:
    """Everything that the rules find in `item`."""
    document = Document(item)
    hits = list(_hits(document))
    score = round(combined(hits), 4)
    return Report(score, risk_of(score), tuple(_found(hit) for hit in _strongest(hits)), document.unread)


def risk_of(score: float) -> str:
    """The name of a score."""
    if score >= HIGH_FROM:
        return "critical" if score >= CRITICAL_FROM else "high"
    if score >= MEDIUM_FROM:
        return "medium"
    return "low" if score > 0 else "none"


def combined(hits: Iterable[Hit]) -> float:
    """One score for all: see the module's text."""
    places: dict[str, dict[str, float]] = {}
    for hit in hits:
        rules = places.setdefault(hit.place.pointer, {})
        rules[hit.rule] = max(hit.weight, rules.get(hit.rule, 0.0))
    scores = sorted((_together(rules.values()) for rules in places.values()), reverse=True)
    left = 1.0
    for rank, score in enumerate(scores[:4]):
        share = 1.0 if rank == 0 else 0.5 if score >= MEDIUM_FROM else 0.15
        left *= 1 - score * share
    return 1 - left


def _together(weights: Iterable[float]) -> float:
    left, weak = 1.0, 0.0
    for weight in sorted(weights, reverse=True):
        if weight >= _WEAK_BELOW:
            left *= 1 - weight
        else:
            weak = weight if not weak else weak + 0.5 * weight * (1 - weak)
    return 1 - left * (1 - min(weak, _WEAK_MOST))


def _hits(document: Document) -> Iterator[Hit]:
    yield from (marks := [*marks_in(document)])
    yield from _acts(document)
    yield from _acts_by_name(document)
    yield from (asked := [*parameters_in(document)])
    yield from names_in(document)
    yield from contradictions_in(document)
    yield from changes_in(document, marks, asked)


def _acts(document: Document) -> Iterator[Hit]:
    """The strongest of each rule at each place: where it lies in a string is dear to find, and asked of those alone."""
    best: dict[tuple[str, str], tuple[float, Told]] = {}
    for key, weight, told in _weighed(document):
        if key not in best or weight > best[key][0]:
            best[key] = weight, told
    for weight, told in best.values():
        text, start, end = document.texts[told.owner], told.start, told.end
        evidence = f"{text.layer.kind}: {text.layer.text[start:end]}" if text.is_hidden else ""
        yield Hit(told.act.rule.id, weight, text.place, *text.layer.span(start, end), evidence)


def _weighed(document: Document) -> Iterator[tuple[tuple[str, str], float, Told]]:
    """Each act with its place and rule, and its weight."""
    plain: set[tuple[str, str]] = set()
    raised: dict[int, int | None] = {}
    texts = document.texts
    done: set[tuple[int, str]] = set()
    for told in acts_among(document.prose, [text.place.pointer for text in texts], _TIMES_MAX, done):
        text, act, start, end = texts[told.owner], told.act, told.start, told.end
        if act.only_in and text.place.role not in act.only_in:
            continue
        key = (text.place.pointer, act.rule.id)
        if text.layer.kind in _RESPELLED and key in plain:
            continue
        if not text.is_hidden:
            plain.add(key)
        if told.owner not in raised:
            raised[told.owner] = authority_at(text.layer.text)
        at = raised[told.owner]
        weight = _weight(act, document, text, told.sentence, start, end, is_raised=at is not None and start >= at)
        if weight >= _most(act.rule.weight, text, may_be_raised=at is not None):
            done.add((told.owner, act.rule.id))
        yield key, weight, told


def _acts_by_name(document: Document) -> Iterator[Hit]:
    """Acts in sentences that call the tool by its name, which then stands for "this tool"."""
    name = document.name.lower()
    if not _CODED.search(document.name):
        return
    for text in document.texts:
        if text.is_hidden or text.place.role is Role.NAME or len(text.layer.text) > _NAMED_MAX:
            continue
        if name not in text.layer.text.lower():
            continue
        raised = authority_at(text.layer.text)
        for sentence in text.sentences:
            if name not in sentence.words:
                continue
            masks = [
                mask | _ITSELF if word == name else mask
                for word, mask in zip(sentence.words, sentence.masks, strict=True)
            ]
            for act, start, end in acts_in(replace(sentence, masks=masks, classes=sentence.classes | _ITSELF)):
                if not act.only_in or text.place.role in act.only_in:
                    is_raised = raised is not None and start >= raised
                    weight = _weight(act, document, text, sentence, start, end, is_raised=is_raised)
                    yield Hit(act.rule.id, weight, text.place, *text.layer.span(start, end))


def _weight(
    act: Act, document: Document, text: Text, sentence: Sentence, start: int, end: int, *, is_raised: bool
) -> float:
    weight = act.rule.weight
    hidden = text.is_hidden
    if act.honest_for & document.purposes and not hidden and not is_raised:
        weight *= 0.3
    if act.rule.id == "HF-103" and document.item.surface == "prompt" and not hidden:
        weight *= 0.5  # prompts give roles: that is what they are for
    at = next((index for index, span in enumerate(sentence.spans) if span[0] >= start), 0)
    by_scanner = "security" in document.purposes
    if hidden and by_scanner:
        return weight * 0.3  # samples of what it looks for
    if (act.quotable or by_scanner) and _is_quoted(text.layer.text, sentence, at, start):
        return weight * 0.3
    if act.negatable and _is_denied(sentence, at, end):
        weight *= 0.2
    return _most(weight, text, may_be_raised=is_raised)


def _most(weight: float, text: Text, *, may_be_raised: bool) -> float:
    """What a weight comes to by its place, which is more where it is hidden or stands where no order belongs."""
    if text.is_hidden and weight >= 0.1:
        return max(weight, 0.5) + 0.5 * (1 - max(weight, 0.5))
    if not text.is_hidden and weight >= MEDIUM_FROM and (may_be_raised or text.place.role in _NOT_PROSE):
        return weight + 0.4 * (1 - weight)
    return weight


def _is_denied(sentence: Sentence, at: int, end: int) -> bool:
    """Whether a denial stands shortly before it or within it."""
    last = next((index for index, span in enumerate(sentence.spans) if span[1] >= end), len(sentence.spans) - 1)
    first = max(0, at - _DENIED_WORDS)
    turn = next((index for index in range(at - 1, first - 1, -1) if sentence.words[index] in _TURNS), first)
    return any(mask & CLASSES["not"] for mask in sentence.masks[turn : last + 1])


def _is_quoted(text: str, sentence: Sentence, at: int, start: int) -> bool:
    """Whether it is spoken of: words for attacks and examples shortly before, or a quotation mark right before."""
    near = sentence.masks[max(0, at - _MENTION_WORDS) : at]
    return any(mask & CLASSES["mention"] for mask in near) or text[max(0, start - 1) : start] in tuple(_QUOTES)


def _strongest(hits: Iterable[Hit]) -> list[Hit]:
    """One a rule and field, the strongest first."""
    best: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        key = (hit.rule, hit.place.pointer)
        if hit.weight > 0 and (key not in best or hit.weight > best[key].weight):
            best[key] = hit
    return sorted(best.values(), key=lambda hit: -hit.weight)[:FOUND_MAX]


def _found(hit: Hit) -> Found:
    evidence = as_evidence(hit.evidence) if hit.evidence else around(hit.place.text, hit.start, hit.end)
    return Found(
        hit.rule, _severity(hit.weight), _confidence(hit.weight), hit.place.pointer, evidence, hit.start, hit.end
    )


def _severity(weight: float) -> Severity:
    if weight >= HIGH_FROM:
        return Severity.CRITICAL if weight >= CRITICAL_FROM else Severity.HIGH
    return Severity.MEDIUM if weight >= MEDIUM_FROM else Severity.LOW


def _confidence(weight: float) -> Confidence:
    return Confidence.HIGH if weight >= 0.85 else Confidence.MEDIUM if weight >= 0.5 else Confidence.LOW
