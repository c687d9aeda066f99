"""The search form of the audit log. It shapes input; what fits is for `audit.filters` to say."""

from datetime import UTC
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.events import Event, RecordType
from audit.filters import FILTERS, LONGEST, Filters, read_filters
from audit.formats.kinds import SinkKind
from audit.formats.writing import Format
from core.errors import Invalid
from core.language import said

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
_EVENTS = (("", _("All")), *((event.value, event.value) for event in Event))
_DECISIONS = (("", _("All")), ("allowed", _("Allowed")), ("denied", _("Denied")))


class _MomentInput(forms.DateTimeInput):
    """A field for day and time. Browsers show only what they would have written themselves, which knows no offset."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        try:
            moment = read_filters({"since": str(value or "")}).since
        except Invalid:
            return str(value)
        if moment is None:
            return None
        exact = "milliseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=exact)


def _text(label: Any, widget: forms.Widget | None = None) -> forms.CharField:
    return forms.CharField(label=label, required=False, strip=False, max_length=LONGEST, widget=widget)


def _choice(label: Any, choices: Any) -> forms.CharField:
    # Not a field of choices: a value that is none of them gets the one sentence that it gets everywhere.
    return _text(label, forms.Select(choices=choices))


def _moment(label: Any) -> forms.CharField:
    return _text(label, _MomentInput(attrs={"step": "any"}))


class RecordFilterForm(forms.Form):
    """Every field narrows; an empty one does not. `filters` is what a valid form says."""

    principal = _text(_("Who"))
    agent = _text(_("Agent (client id)"))
    server = _text(_("Server"))
    tool = _text(_("Tool"))
    type = _choice(_("What"), _TYPES)
    decision = _choice(_("Decision"), _DECISIONS)
    since = _moment(_("From (UTC)"))
    until = _moment(_("Until (UTC)"))
    reason = _text(_("Reason"))
    event = _choice(_("Event"), _EVENTS)
    intention = _text(_("Intention says"))
    trace_id = _text(_("Trace"))
    call_id = _text(_("Call"), forms.HiddenInput())

    filters = Filters()

    def clean(self) -> None:
        """Read the filters; what does not fit stands at its field."""
        try:
            self.filters = read_filters({name: self.data.get(name, "") for name in FILTERS})
        except Invalid as error:
            for name, sentence in error.details.items():
                if name not in self.errors:
                    self.add_error(name, said(sentence))

    @property
    def further(self) -> bool:
        """Whether a field says something that stands below the first ones."""
        return any(self.data.get(name) for name in ("reason", "event", "intention", "trace_id"))


FORMAT_NAMES = {
    Format.JSONL: _("JSONL, verifiable"),
    Format.CSV: _("CSV"),
    Format.OCSF: _("OCSF 1.9.0 (JSON lines)"),
    Format.CEF: _("CEF"),
    Format.OTLP: _("OpenTelemetry logs (JSON lines)"),
}
_KIND_NAMES = (
    (SinkKind.SYSLOG_TLS.value, _("Syslog over TLS")),
    (SinkKind.OTLP.value, _("OpenTelemetry collector")),
    (SinkKind.WEBHOOK.value, _("Webhook")),
)


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


class SinkForm(forms.Form):
    """A new sink. What fits together is the service's to say."""

    name = forms.CharField(label=_("Name"), max_length=100)
    kind = forms.ChoiceField(label=_("Kind"), choices=_KIND_NAMES)
    format = forms.ChoiceField(
        label=_("Format"),
        choices=[(form.value, FORMAT_NAMES[form]) for form in (Format.CEF, Format.OCSF, Format.JSONL, Format.OTLP)],
        help_text=_("A collector takes OpenTelemetry logs, a webhook OCSF or JSONL, syslog CEF, OCSF or JSONL."),
    )
    endpoint = forms.CharField(
        label=_("Endpoint"),
        max_length=2000,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("An https URL, or tls://host:6514 for syslog."),
    )
    secret = forms.CharField(
        label=_("Authorization header"),
        required=False,
        max_length=4000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Of a collector that asks for one. A webhook's secret is made here."),
    )
    from_beginning = forms.BooleanField(label=_("From the beginning of the log"), required=False)
