"""The search form of the audit log."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.events import RecordType

_TYPES = (
    ("", _("All")),
    (RecordType.INTENT.value, _("Call intents")),
    (RecordType.OUTCOME.value, _("Call outcomes")),
    (RecordType.DENY.value, _("Denials")),
    (RecordType.REVIEW.value, _("Reviews")),
    (RecordType.CONFIG.value, _("Servers and tools")),
    (RecordType.ADMIN.value, _("People, agents, roles")),
    (RecordType.AUTH.value, _("Sign-ins and tokens")),
    (RecordType.CHECKPOINT.value, _("Checkpoints")),
)
_DECISIONS = (("", _("All")), ("allowed", _("Allowed")), ("denied", _("Denied")))
_MOMENT_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, input_formats=_MOMENT_FORMATS, widget=widget)


class RecordFilterForm(forms.Form):
    """Every field narrows; an empty one does not."""

    principal = forms.CharField(label=_("Who"), required=False, max_length=200)
    agent = forms.CharField(label=_("Agent (client id)"), required=False, max_length=200)
    server = forms.CharField(label=_("Server"), required=False, max_length=100)
    tool = forms.CharField(label=_("Tool"), required=False, max_length=500)
    type = forms.ChoiceField(label=_("What"), required=False, choices=_TYPES)
    decision = forms.ChoiceField(label=_("Decision"), required=False, choices=_DECISIONS)
    since = _moment(_("From (UTC)"))
    until = _moment(_("Until (UTC)"))
    call_id = forms.UUIDField(label=_("Call"), required=False, widget=forms.HiddenInput())
