"""The search form of the audit log."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.events import RecordType
from audit.filters import FILTERS, Filters, read_filters
from audit.formats.writing import Format
from core.errors import Invalid

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


FORMAT_NAMES = {
    Format.JSONL: _("JSONL, verifiable"),
    Format.CSV: _("CSV"),
    Format.OCSF: _("OCSF 1.9.0 (JSON lines)"),
    Format.CEF: _("CEF"),
    Format.OTLP: _("OpenTelemetry logs (JSON lines)"),
}


class ExportForm(forms.Form):
    """A format and the filters of the search. `filters` is what a valid form says."""

    format = forms.ChoiceField(choices=[(form.value, name) for form, name in FORMAT_NAMES.items()])

    filters = Filters()

    def clean(self) -> None:
        """Read the filters; one that does not fit is said where the search is."""
        try:
            self.filters = read_filters({name: self.data.get(name, "") for name in FILTERS})
        except Invalid as error:
            raise forms.ValidationError(error.message) from error
