"""The gateway app."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from access.completing import Completed
    from access.models import Grant, Role


class GatewayConfig(AppConfig):
    """MCP endpoint."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        """Say what a grant or a changed role completes: the gateway knows who reaches which tool."""
        from access.completing import judge_by

        judge_by(_completed_by, _completed_by_change)


def _completed_by(grant: "Grant") -> "Completed | None":
    # What decides calls is loaded with the first question: most processes never ask one.
    from gateway.completing import completed_by

    return completed_by(grant)


def _completed_by_change(role: "Role", before: Collection[str]) -> "Completed | None":
    from gateway.completing import completed_by_change

    return completed_by_change(role, before)
