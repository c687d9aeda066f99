"""Which servers are half-way through their onboarding. A builtin of every template."""

from collections.abc import Iterable

from django import template

from controlplane.onboarding.reading import Progress, Step, unfinished
from core.console import actor_of
from servers.models import Server

register = template.Library()


@register.simple_tag(takes_context=True)
def onboarding_steps(context: template.Context, among: Iterable[Server] | None = None) -> dict[str, Step]:
    """Servers that nobody can call yet, by slug, with what comes next: of those on a page, or of all."""
    return unfinished(actor_of(context["request"]), among)


@register.simple_tag(takes_context=True)
def onboarding_of(context: template.Context, server: Server) -> str:
    """What comes next for one server, its first call included; empty when that was made."""
    step = Progress(server, actor_of(context["request"])).step
    return "" if step is Step.DONE else step.value


@register.filter
def step_of(steps: dict[str, Step], slug: str) -> str:
    """What comes next for the server with this slug, or nothing."""
    found = steps.get(slug)
    return found.value if found else ""
