"""What the sequencer does, as a file in Prometheus's text format: for a textfile collector and for health checks."""

import time
from collections.abc import Mapping

from audit.models import Pending
from audit.sequencer.running import Sequencer
from audit.sequencer.state import Cursor

_HELP = {
    "time_seconds": "When this was written.",
    "leads": "1 in the process that places and signs.",
    "refused": "1 while the log contradicts its last checkpoint outside the database.",
    "log_records": "Records with a place.",
    "signed_records": "Records under the last checkpoint.",
    "queued_records": "Records of the control plane that wait for a place.",
    "held_records": "Gateway writers and queued records that must not be placed.",
    "bare_records": "Records without a MAC that this process placed.",
    "anchor_records": "Records under the last checkpoint that a place outside has.",
}


def figures(sequencer: Sequencer, anchors: Mapping[str, Cursor]) -> str:
    """All of them, one sample a line."""
    tree, last = sequencer.tree, sequencer.signer.last
    values: dict[str, float] = {
        "time_seconds": round(time.time(), 3),
        "leads": int(tree is not None),
        "refused": int(sequencer.refusal is not None),
        "log_records": tree.size if tree else 0,
        "signed_records": last.size if last else 0,
        "queued_records": Pending.objects.filter(writer=None).count(),
        "held_records": sequencer.placer.held(),
        "bare_records": sequencer.placer.bare,
    }
    lines = [line for name, value in values.items() for line in (*_head(name), f"holdfast_sequencer_{name} {value}")]
    lines += _head("anchor_records")
    lines += [f'holdfast_sequencer_anchor_records{{anchor="{name}"}} {cursor.size}' for name, cursor in anchors.items()]
    return "\n".join(lines) + "\n"


def _head(name: str) -> list[str]:
    return [f"# HELP holdfast_sequencer_{name} {_HELP[name]}", f"# TYPE holdfast_sequencer_{name} gauge"]
