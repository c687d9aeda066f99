"""Answers of tools as the rules see them: text by strangers, in which an order to the model is an attack. Pure module.

Pages, mails and files are full of honest imperatives. So only those acts count here that nobody honestly asks of
somebody else's model, beside what is invisible or encoded, marks of authority, and secrets (`audit.secret_scan`). Of a
long answer the beginning and the end are read, and it says that it was cut.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit import secret_scan
from tools.scanner.act import Act
from tools.scanner.acts import ACTS, Acts
from tools.scanner.clauses import Sentence
from tools.scanner.document import Document, Item, Text
from tools.scanner.engine import combined, risk_of
from tools.scanner.excerpt import NAME_MAX, excerpt, short
from tools.scanner.fields import Fields, Place
from tools.scanner.findings import Confidence, Severity
from tools.scanner.glance import WINDOW, Glance, is_disguised, windows, words_of
from tools.scanner.lexicon import CLASSES
from tools.scanner.marks import ANSI, AUTHORITY, CONCEALED, ENCODED, TAGS, UNSEEN, authority_at, marks_in
from tools.scanner.reading import PLAIN, Layer, layers
from tools.scanner.rule import Hit, Rule
from tools.scanner.signs import Signs

FOUND_MAX: Final = 20
_PIECE: Final = "\0"  # before the number of a piece of a text; no pointer holds it
_NAME: Final = re.compile(r"[\w.$-]{0,40}\Z", re.ASCII)
_FIELD_MAX: Final = 120  # characters of a pointer
_NEAR: Final = 8  # words before an act in which a denial or a word for such texts stands

_ORDERS: Final = frozenset(
    {
        "HF-101", "HF-103", "HF-104", "HF-106", "HF-107", "HF-108", "HF-109", "HF-113", "HF-125", "HF-127", "HF-130",
        "HF-133", "HF-156",
    }
)  # fmt: skip
_SAID_OF_PAGES: Final = frozenset({"HF-103", "HF-104", "HF-127"})  # pages and mails say so honestly, definitions do not
_SAID: Final = Acts(act for act in ACTS if act.rule.id in _ORDERS)
_acts_in: Final = _SAID.found_in
_AWAY: Final = sum(CLASSES[name] for name in ("out", "url", "email", "phone"))
_GLANCE: Final = Glance(_SAID.frames)


def _answer(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


SECRET: Final = Rule(
    "HF-020", "A secret in an answer", "Whatever a model reads it can be made to pass on.", Severity.HIGH,
    Confidence.MEDIUM, ("MCP01", "SAFE-T1502"), _answer("AWS_KEY=AKIA" + "Q3EGRZ7L5WXN2TBV"),
    _answer("The key is kept in the vault."),
)  # fmt: skip
NAMED: Final = Rule(
    "HF-021", "What is called a secret, in an answer", "Its name says so; it may be an example.", Severity.MEDIUM,
    Confidence.MEDIUM, ("MCP01", "SAFE-T1502"), _answer("password: correct-horse-9"),
    _answer("The password must have twelve characters."),
)  # fmt: skip
ANSWER_RULES: Final = (SECRET, NAMED)
# One of these is in every secret or beside it; most answers have none, and need no look at each of their texts.
_OF_SECRETS: Final = (
    "pass", "pwd", "secret", "token", "key", "cred", "bearer", "basic", "auth", "cookie", "dsn", "otp", "pin",
    "connection", "://", "eyj", "akia", "asia", "abia", "acca", "aiza", "ya29.", "gocspx", "gh", "gl", "xox", "xapp",
    "sk-", "sk_", "rk_", "whsec_", "npm_", "pypi-", "hf", "sg.", "8q~", "hooks.slack", "github_pat",
)  # fmt: skip
_MAY_HOLD_SECRETS: Final = Signs(_OF_SECRETS)
# Of these one is in every text in which secrets are looked for with success, and in few others. In small letters.
_LIKE_SECRETS: Final = Signs(
    (
        "-----begin ", "ya29.", "gocspx-", "github_pat_", "xapp-", "hooks.slack.com/", "whsec_", "npm_", "pypi-", "8q~",
        "eyj",
    ),
    patterns=(
        r"a(?:kia|sia|bia|cca)[a-z0-9]{16}", r"aiza[a-z0-9_-]{35}", r"gh[pousr]_", r"gl[a-z]{2,4}-", r"xox[abeprs]-",
        r"[rs]k_(?:live|test)_", r"sk-[a-z0-9_-]{20}", r"hf(?:_|p_|[cr]?\.)", r"sg\.[a-z0-9_-]{16}",
        r"://[^ \t\n\r\x0b\x0c/:@\"']*:[^ \t\n\r\x0b\x0c/@\"']+@",
        r"(?:passw(?:or)?d|passphrase|pwd|secret|token|key|credentials?)[\\\"'\s]{0,5}[:=]",
        r"(?:bearer|basic)\s{1,3}[a-z0-9+/=._~-]{8}",
    ),
)  # fmt: skip
_NAMED_KINDS: Final = ("secret by its name", "authorization")


@dataclass(frozen=True, slots=True)
class InAnswer:
    """One finding: the rule, how bad, and where, as a JSON pointer into the result. Never the text."""

    rule: str
    severity: str
    field: str


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """What the rules come to. `is_cut`: there was more than is read."""

    score: float
    risk: str  # none, low, medium, high, critical
    findings: tuple[InAnswer, ...]
    is_cut: bool


def scan_answer(result: Mapping[str, Any]) -> AnswerReport:
    """The findings in a result of a call, a read resource, a prompt, or in an error; the strongest first."""
    said = short(result, WINDOW)
    return NOTHING if said is not None and _is_silent(*said) else _read(result)


def _read(result: Mapping[str, Any]) -> AnswerReport:
    fields = excerpt(result)
    document = _Answer(Item(result), fields)
    hits = [*_marks(document), *_orders(document), *_secrets(fields.places)]
    score = round(combined(hits), 4)
    return AnswerReport(score, risk_of(score), _strongest(hits), bool(fields.unread))


NOTHING: Final = AnswerReport(0.0, "none", (), is_cut=False)


def _is_silent(text: str, names: Iterable[str]) -> bool:
    """Whether no rule can find anything in a short answer: see `short`. Most answers end here.

    What a rule needs of one string (words, signs of what is hidden or secret) is then in all of them together: where
    nothing of it is seen in the whole, reading each string would not find it either.
    """
    lower = text.lower()
    words = words_of(lower)
    if is_disguised(text, words) or _GLANCE.can_say(lower, words):
        return False
    whole = "\n".join([lower, *names]).lower()
    return not _MAY_HOLD_SECRETS.are_in(whole) or not (_LIKE_SECRETS.are_in(whole) or _name_secrets(names))


def _name_secrets(names: Iterable[str]) -> bool:
    return any(secret_scan.is_secret_name(name[:NAME_MAX]) for name in names)


class _Answer(Document):
    """An answer in place of a definition: its strings are known already, and none of them says what it is for."""

    def __init__(self, item: Item, read: Fields) -> None:
        object.__setattr__(self, "item", item)
        object.__setattr__(self, "read", read)
        object.__setattr__(self, "texts", tuple(text for place in read.places for text in _texts(place)))
        object.__setattr__(self, "purposes", frozenset())


def _texts(place: Place) -> Iterator[Text]:
    """Only what rules can find something in. A piece of a long text is judged by itself: a page holds many matters."""
    for at, piece in enumerate(windows(place.text)):
        lower = piece.lower()
        words = words_of(lower)
        disguised = is_disguised(piece, words)
        can_say = _GLANCE.can_say(lower, words)
        if not disguised and not can_say:
            continue
        part = Place(f"{place.pointer}{_PIECE}{at}", place.role, piece, place.parameter)
        read = layers(piece) if disguised else (Layer(PLAIN, piece, 0, len(piece)),)
        for layer in read:
            yield Text(part, layer)


# --- what is found -------------------------------------------------------------------------------------------------
def _marks(document: Document) -> Iterator[Hit]:
    """Each with a weight of its own: pages hold invisible characters, terminals colours, most of them honestly."""
    for hit in marks_in(document):
        weigh = _WEIGHTS.get(hit.rule)
        if weigh is not None:
            yield Hit(hit.rule, weigh(hit), hit.place, hit.start, hit.end)


def _of_unseen(hit: Hit) -> float:
    """Many, or some that turn the text round, are no accident of typesetting."""
    if _TURNING.search(hit.place.text):
        return 0.55
    return 0.78 if len(_UNSEEN.findall(hit.place.text)) >= _MANY else 0.2


def _of_escapes(hit: Hit) -> float:
    """Colours are honest; what moves the cursor, erases or conceals is for nobody who reads."""
    rest = _COLOURS.sub("", hit.place.text)
    return 0.55 if "\x1b" in rest or "\x9b" in rest else 0.15


_UNSEEN: Final = re.compile("[\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ue000-\uf8ff\U000e0100-\U000e01ef]")
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MANY: Final = 12
_COLOURS: Final = re.compile(
    r"\x1b\[(?:0|[1-7]|2[1-79]|[349]\d|10[0-7]|[34]8;[25];[0-9;]{1,12})?(?:;(?:0|[1-7]|[349]\d)){0,6}m"
)
_WEIGHTS: Final[Mapping[str, Callable[[Hit], float]]] = {
    TAGS.id: lambda hit: hit.weight,
    UNSEEN.id: _of_unseen,
    ANSI.id: _of_escapes,
    ENCODED.id: lambda hit: hit.weight if hit.weight >= 0.75 else 0.2,
    CONCEALED.id: lambda _: 0.2,
    AUTHORITY.id: lambda _: 0.2,
}


def _orders(document: Document) -> Iterator[Hit]:
    for text in document.texts:
        raised = None
        for sentence in text.sentences:
            for act, start, end in _acts_in(sentence):
                raised = authority_at(text.layer.text) if raised is None else raised
                weight = _weight(act, document, sentence, start, end)
                if text.is_hidden or (raised is not None and start >= raised):
                    weight += 0.5 * (1 - weight)
                yield Hit(act.rule.id, weight, text.place, *text.layer.span(start, end))


def _weight(act: Act, document: Document, sentence: Sentence, start: int, end: int) -> float:
    weight = min(act.rule.weight, 0.6) if act.rule.id in _SAID_OF_PAGES else act.rule.weight
    if act.rule.id == "HF-103" and "messages" in document.item.body:
        weight *= 0.5  # prompts give roles: that is what they are for
    if act.rule.id in ("HF-107", "HF-156") and not sentence.classes & _AWAY:
        weight = 0.6  # instructions about one's own keys say so too
    spans = sentence.spans
    first = next((at for at, span in enumerate(spans) if span[0] >= start), 0)
    last = next((at for at, span in enumerate(spans) if span[1] >= end), len(spans) - 1)
    before = sentence.masks[max(0, first - _NEAR) : first]
    if act.quotable and any(mask & CLASSES["mention"] for mask in before):
        return weight * 0.3
    if act.negatable and any(mask & CLASSES["not"] for mask in (*before[-4:], *sentence.masks[first : last + 1])):
        return weight * 0.2
    return weight


def _secrets(places: Iterable[Place]) -> Iterator[Hit]:
    """As the audit log finds them, each text with the name of the member that holds it."""
    found = list(places)
    said = "\n".join(f"{place.parameter}\n{place.text}" for place in found).lower()
    if not _MAY_HOLD_SECRETS.are_in(said):
        return
    values = [{place.parameter: place.text} for place in found]
    written = "\n".join(place.text for place in found).encode("utf-8", "surrogatepass")
    cleaned, count = secret_scan.scan(values, written)
    if not count:
        return
    for place, old, new in zip(found, values, cleaned, strict=True):
        if new is not old:
            text = str(new)
            for kind in _NAMED_KINDS:
                text = text.replace(secret_scan.mark(kind), "")
            rule = SECRET if "[left out: " in text else NAMED
            yield Hit(rule.id, rule.weight, place)


def _strongest(hits: Iterable[Hit]) -> tuple[InAnswer, ...]:
    """One a rule and field."""
    best: dict[tuple[str, str], float] = {}
    for hit in hits:
        key = (hit.rule, hit.place.pointer.partition(_PIECE)[0])
        if hit.weight > best.get(key, 0.0):
            best[key] = hit.weight
    ranked = sorted(best.items(), key=lambda item: -item[1])[:FOUND_MAX]
    return tuple(InAnswer(rule, risk_of(weight), _shown(field)) for (rule, field), weight in ranked)


def _shown(pointer: str) -> str:
    """A pointer without what somebody may have written into the names of members."""
    steps = (step if _NAME.match(step) else "*" for step in pointer.split("/"))
    return secret_scan.without_secrets("/".join(steps))[:_FIELD_MAX]
