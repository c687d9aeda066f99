"""Forms of the review inbox and of a decision. They shape input; the rules are the services'."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.names import SLUG_MAX
from servers.surface import Kind
from tools.rules import REASON_MAX, DefinitionState, ReviewState, Verdict

_STATES = (
    (ReviewState.WAITING.value, _("Waiting")),
    (ReviewState.APPROVED.value, _("Approved")),
    (ReviewState.REJECTED.value, _("Rejected")),
    (ReviewState.SUPERSEDED.value, _("Superseded")),
)
KIND_CHOICES = (
    (Kind.TOOL.value, _("Tools")),
    (Kind.RESOURCE.value, _("Resources")),
    (Kind.TEMPLATE.value, _("Resource templates")),
    (Kind.PROMPT.value, _("Prompts")),
    (Kind.CARD.value, _("Server cards")),
)
_VERDICTS = ((Verdict.APPROVE.value, _("Approve")), (Verdict.REJECT.value, _("Reject")))


class InboxFilterForm(forms.Form):
    """What the inbox narrows by; it stands in the URL."""

    state = forms.ChoiceField(label=_("State"), choices=_STATES, required=False)
    server = forms.CharField(label=_("Server"), max_length=SLUG_MAX, required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=(("", _("All")), *KIND_CHOICES), required=False)


class DefinitionFilterForm(forms.Form):
    """What the definitions of a server narrow by."""

    state = forms.ChoiceField(
        label=_("State"),
        choices=(
            ("", _("All")),
            (DefinitionState.HELD.value, _("In quarantine")),
            (DefinitionState.APPROVED.value, _("Approved")),
            (DefinitionState.GONE.value, _("No longer shown")),
        ),
        required=False,
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=(("", _("All")), *KIND_CHOICES), required=False)
    q = forms.CharField(label=_("Name"), max_length=200, required=False)


class DecisionForm(forms.Form):
    """A verdict on one version, with its reason. `digest` says which version was shown."""

    digest = forms.CharField(max_length=80, widget=forms.HiddenInput)
    verdict = forms.ChoiceField(label=_("Decision"), choices=_VERDICTS, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What you checked, and why that is enough. Kept in the audit log."),
    )
    approve_until = forms.DateTimeField(
        label=_("Approve until (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"),
        help_text=_("Empty: until it changes."),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """One row of the inbox as it was shown."""

    id: UUID
    digest: str


class ChosenField(forms.Field):
    """The ticked rows, each `<review id> <digest shown>`."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[Chosen]:
        """The rows. Raises `ValidationError` for anything that our own page did not make."""
        try:
            pairs = [text.split(" ") for text in value or ()]
            return [Chosen(UUID(review_id), digest) for review_id, digest in pairs]
        except ValueError as error:
            raise ValidationError(_("Reload the inbox and choose again.")) from error


class BulkForm(forms.Form):
    """One verdict and one reason for every ticked row."""

    review = ChosenField(error_messages={"required": _("Tick at least one review.")})
    verdict = forms.ChoiceField(label=_("Decision"), choices=_VERDICTS)
    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX)
