"""What a text asks of the model, or says that it does: all acts of `said`, and how they are found. Pure module."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tools.scanner.act import Act
from tools.scanner.clauses import Frame, Sentence
from tools.scanner.prose import Chains, Prose
from tools.scanner.said.choices import CHOICES
from tools.scanner.said.damage import DAMAGE
from tools.scanner.said.orders import ORDERS
from tools.scanner.said.outward import OUTWARD
from tools.scanner.said.rivals import RIVALS
from tools.scanner.said.secrecy import SECRECY
from tools.scanner.said.secrets import SECRETS

_ALL: Final = (*ORDERS, *SECRECY, *SECRETS, *OUTWARD, *CHOICES, *RIVALS, *DAMAGE)
ACTS: Final = tuple(sorted(_ALL, key=lambda act: act.rule.id))


@dataclass(frozen=True, slots=True)
class Told:
    """An act, the sentence that it is in, the number of the text and where in the layer it lies."""

    owner: int
    sentence: Sentence
    act: Act
    start: int
    end: int


class Acts:
    """Looks for the acts of a table, or of some of its rows, in sentences."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self._rows = tuple((act, each) for act in acts for each in act.frames)
        self._possible = lru_cache(maxsize=16_384)(self._rows_for)
        self._chains = Chains(self.frames)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames, in the order of the table."""
        return tuple(each for _, each in self._rows)

    def found_in(self, sentence: Sentence) -> Iterator[tuple[Act, int, int]]:
        """Each act in a sentence, and where it lies in the layer's text."""
        if not sentence.classes or len(sentence.words) < 2:
            return
        found = None
        for act, each in self._possible(sentence.classes):
            if act is not found and (span := each.find(sentence)) is not None:
                yield act, *span
                found = act

    def found_among(
        self, prose: Prose, places: Sequence[str], most: int, done: AbstractSet[tuple[int, str]] = frozenset()
    ) -> Iterator[Told]:
        """Those in all sentences, in their order. `places` says of each text where it stands.

        Of one rule at most `most` at one place: what is more weighs no more. In texts and of rules that the caller
        adds to `done` none is sought any more.
        """
        times: Counter[tuple[str, str]] = Counter()
        known: dict[tuple[int, ...], dict[int, tuple[int, int] | None]] = {}
        for number, rows in self._candidates(prose):
            masks = prose.masks(number)
            if len(masks) < 2:
                continue
            spans = known.setdefault(tuple(masks), {})
            owner, sentence, found = prose.owners[number], None, None
            for row in rows:
                act, each = self._rows[row]
                key = (places[owner], act.rule.id)
                if act is found or times[key] >= most or (owner, act.rule.id) in done:
                    continue
                if row not in spans:
                    spans[row] = each.match(masks)
                if (span := spans[row]) is not None:
                    sentence = sentence or prose.sentence(number)
                    yield Told(owner, sentence, act, sentence.spans[span[0]][0], sentence.spans[span[1]][1])
                    times[key] += 1
                    found = act

    def _candidates(self, prose: Prose) -> list[tuple[int, list[int]]]:
        """The sentences that may hold acts, each with the rows of the table that it may."""
        rows: dict[int, list[int]] = {}
        for row, bits in self._chains.places(prose):
            for number in prose.holding(bits):
                rows.setdefault(number, []).append(row)
        return [(number, sorted(set(rows[number]))) for number in sorted(rows)]

    def _rows_for(self, classes: int) -> tuple[tuple[Act, Frame], ...]:
        """Those for which no class is missing."""
        return tuple(row for row in self._rows if row[1].is_possible(classes))


_EVERY: Final = Acts(ACTS)
acts_in: Final = _EVERY.found_in
acts_among: Final = _EVERY.found_among
