"""Why a call was refused. A builtin of every template."""

from django import template

from audit.models import Record
from controlplane.refusals import Explanation, explained
from core.console import actor_of

register = template.Library()


@register.simple_tag(takes_context=True)
def refusal(context: template.Context, record: Record) -> Explanation | None:
    """The refusal in words, or None for a record of anything else."""
    return explained(record, actor_of(context["request"]))
