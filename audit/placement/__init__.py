"""Giving records their place in the log: `Leaf(index, record, hash)`, written by one leader.

The control plane's records come from a queue (docs/adr/0003-placement.md), gateways' by their writers' numbers. Before
a record gets its place, its chain and MAC are checked.
"""

from audit.placement.chained import chained_at, is_chained, prunings
from audit.placement.judging import Judge, Verdict
from audit.placement.pending import Waiting
from audit.placement.placing import PlacementError, Placer, has_sequencer, lead, place_records

__all__ = [
    "Judge",
    "PlacementError",
    "Placer",
    "Verdict",
    "Waiting",
    "chained_at",
    "has_sequencer",
    "is_chained",
    "lead",
    "place_records",
    "prunings",
]
