"""Forms of the alert pages. They shape input; the rules are the services'."""

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.rules import AlertKind, AlertState

KIND_CHOICES = (
    (AlertKind.BREAK_GLASS.value, _("Broken glass")),
    (AlertKind.DRIFT.value, _("Drift")),
    (AlertKind.SHOWN_DIFFERENTLY.value, _("Shown differently to agents")),
    (AlertKind.REVIEW_WAITING.value, _("Reviews waiting")),
    (AlertKind.UNREACHABLE.value, _("Unreachable server")),
    (AlertKind.INCOMPLETE.value, _("Incomplete looks")),
    (AlertKind.CHANNEL_FAILING.value, _("Failing channel")),
    (AlertKind.SUSPENDED.value, _("Kill switch")),
    (AlertKind.CALL_UNKNOWN.value, _("Calls that ended unknown")),
    (AlertKind.AUDIT_INTERRUPTED.value, _("Calls that could not be recorded")),
    (AlertKind.CHECKPOINT_REFUSED.value, _("Refused checkpoint")),
    (AlertKind.LOG_CONTRADICTED.value, _("Contradictions in the audit log")),
    (AlertKind.POLICY_ALTERED.value, _("Policy changed silently")),
    (AlertKind.SINK_STOPPED.value, _("Stopped export")),
)
LIVE = "live"


class AlertFilterForm(forms.Form):
    """What the list of alerts narrows by."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=(
            (LIVE, _("Not resolved")),
            (AlertState.OPEN.value, _("Open")),
            (AlertState.ACKNOWLEDGED.value, _("Acknowledged")),
            (AlertState.RESOLVED.value, _("Resolved")),
        ),
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=(("", _("All")), *KIND_CHOICES))
    server = forms.CharField(label=_("Server"), required=False, max_length=24)


class ChannelForm(forms.Form):
    """A new webhook."""

    name = forms.CharField(label=_("Name"), max_length=100)
    url = forms.CharField(
        label=_("Webhook URL"),
        max_length=2000,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Receives signed POST requests (Standard Webhooks)."),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Alerts to send"),
        required=False,
        choices=KIND_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all of them."),
    )
