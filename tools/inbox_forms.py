"""Forms of the review inbox: what narrows it, and what is done with the rows that were ticked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from access.names import USERNAME_MAX
from core.names import SLUG_MAX
from servers.tags import TAG_MAX
from tools.classify import Risk
from tools.forms import KIND_CHOICES, VERDICT_CHOICES
from tools.inbox import OPEN, SNOOZED, WAITING
from tools.models.known import DIGEST_LENGTH
from tools.rules import COMMENT_MAX, REASON_MAX, ReviewState
from tools.scanner import Severity
from tools.whys import Why

_STATES = (
    (WAITING, _("Waiting")),
    (SNOOZED, _("Waiting, put off")),
    (OPEN, _("Waiting or put off")),
    (ReviewState.APPROVED.value, _("Approved")),
    (ReviewState.REJECTED.value, _("Rejected")),
    (ReviewState.DISMISSED.value, _("Dismissed")),
    (ReviewState.SUPERSEDED.value, _("Superseded")),
)
_RISKS = ((Risk.HIGH.value, _("High")), (Risk.MEDIUM.value, _("Medium")), (Risk.LOW.value, _("Low")))
_FINDINGS = (
    (Severity.CRITICAL.value, _("Critical")),
    (Severity.HIGH.value, _("High or worse")),
    (Severity.MEDIUM.value, _("Medium or worse")),
    (Severity.LOW.value, _("Any")),
)
WHY_CHOICES = (
    (Why.NEW.value, _("New")),
    (Why.WORDING.value, _("Description")),
    (Why.SCHEMA_WIDENED.value, _("Schema widened")),
    (Why.HINTS.value, _("Annotation flipped")),
    (Why.HIDDEN.value, _("Hidden characters")),
    (Why.LOOKALIKE.value, _("Look-alike")),
    (Why.IDENTITY.value, _("Server identity")),
)
_ALL = ("", _("All"))
CHANGES: Final = "changes"
_DAYS: Final = (1, 3, 7, 14, 30)


def _snoozes() -> list[tuple[str, str]]:
    """For how long a review is put off, in the language of the page."""
    for_days = [(str(n), ngettext("for %(n)d day", "for %(n)d days", n) % {"n": n}) for n in _DAYS]
    return [*for_days, (CHANGES, gettext("until it changes again"))]


class InboxFilterForm(forms.Form):
    """What the inbox narrows by; it stands in the URL."""

    state = forms.ChoiceField(label=_("State"), choices=_STATES, required=False)
    server = forms.CharField(label=_("Server"), max_length=SLUG_MAX, required=False)
    tag = forms.CharField(label=_("Tag"), max_length=TAG_MAX, required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=(_ALL, *KIND_CHOICES), required=False)
    risk = forms.ChoiceField(label=_("Risk"), choices=(_ALL, *_RISKS), required=False)
    why = forms.ChoiceField(label=_("Why"), choices=(_ALL, *WHY_CHOICES), required=False)
    finding = forms.ChoiceField(label=_("Findings"), choices=(_ALL, *_FINDINGS), required=False)
    assignee = forms.CharField(label=_("Looked at by"), max_length=USERNAME_MAX, required=False)
    overdue = forms.BooleanField(label=_("Overdue"), required=False)
    digest = forms.CharField(max_length=DIGEST_LENGTH, required=False, widget=forms.HiddenInput)
    identical_to = forms.UUIDField(required=False, widget=forms.HiddenInput)
    look = forms.UUIDField(required=False, widget=forms.HiddenInput)

    @property
    def wanted(self) -> dict[str, Any]:
        """What narrows; a filter that does not fit narrows nothing."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def query(self) -> dict[str, str]:
        """The same as a URL has it: what is so anyway is left out."""
        wanted = {name: "on" if value is True else str(value) for name, value in self.wanted.items()}
        return {name: value for name, value in wanted.items() if (name, value) != ("state", WAITING)}


class ViewForm(forms.Form):
    """The name of a view that somebody keeps, and whether others see it."""

    name = forms.CharField(max_length=100)
    shared = forms.BooleanField(required=False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One row of the inbox as it was shown. `folded`: it stood for all of its list that are about the same change."""

    id: UUID
    digest: str
    folded: bool = False


class ChosenField(forms.Field):
    """The ticked rows, each `<review id> <digest shown>`; a folded one ends in ` <of how many>`."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[Chosen]:
        """The rows. Raises `ValidationError` for anything that our own page did not make."""
        try:
            rows = [text.split(" ", maxsplit=2) for text in value or ()]
            return [Chosen(UUID(review_id), digest, folded=bool(of)) for review_id, digest, *of in rows]
        except ValueError as error:
            raise ValidationError(_("Reload the inbox and choose again.")) from error


class ChosenForm(forms.Form):
    """The ticked rows."""

    review = ChosenField(error_messages={"required": _("Tick at least one review.")})


class BulkForm(ChosenForm):
    """One verdict and one reason for every ticked row, or for all that the filters leave (`all`)."""

    all = forms.BooleanField(required=False)
    verdict = forms.ChoiceField(label=_("Decision"), choices=VERDICT_CHOICES)
    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["review"].required = "all" not in self.data


class UndoForm(ChosenForm):
    """Why what was decided together is taken back."""

    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX)


class AssignForm(ChosenForm):
    """Who is to look at the ticked rows. A button may say so itself (`to`), the field otherwise; empty: nobody."""

    to = forms.CharField(max_length=USERNAME_MAX, required=False)
    assignee = forms.CharField(label=_("User name"), max_length=USERNAME_MAX, required=False)


class SnoozeForm(ChosenForm):
    """For how long the ticked rows are put off."""

    until = forms.ChoiceField(label=_("Put off"), choices=_snoozes, initial="3")

    @property
    def ends_at(self) -> datetime | None:
        """When; None: with the next change."""
        chosen = self.cleaned_data["until"]
        return None if chosen == CHANGES else timezone.now() + timedelta(days=int(chosen))


class CommentForm(forms.Form):
    """What somebody says about a review."""

    text = forms.CharField(
        label=_("Comment"),
        max_length=COMMENT_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Plain text. It cannot be changed or taken back."),
    )
