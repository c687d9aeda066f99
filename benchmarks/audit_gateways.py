"""Gateways that record in other ways, for `benchmarks.audit`: `uvicorn benchmarks.audit_gateways:off` and so on.

None of them is a product: `off` records nothing, which no setting of ours can do. `again` is `unchained`, for a process
that differs in nothing, and `chained` is the product, made as the others are.
"""

import os
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
django.setup(set_prefix=False)

from audit.chaining import Chain  # noqa: E402 -- Django first
from audit.writer import GroupCommitWriter  # noqa: E402 -- Django first
from gateway.application import from_settings  # noqa: E402 -- Django first


class Silent(GroupCommitWriter):
    """Says that all is durable, and writes nothing."""

    async def write(self, record: Any, payload: Any = None) -> None:
        """Return at once."""


class Unchained(Chain):
    """Numbers without links and MACs."""

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self.link = b""

    def add(self, body: bytes) -> tuple[bytes, bytes]:
        """The next number."""
        self.seq += 1
        return b"", b""


off = from_settings(Silent)
single = from_settings(partial(GroupCommitWriter, batch=1))
unchained = again = from_settings(partial(GroupCommitWriter, new_chain=Unchained))
chained = from_settings()
