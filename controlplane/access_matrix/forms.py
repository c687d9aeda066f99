"""The form of a role's scopes on one server."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from access.names import REASON_MAX
from controlplane.access_matrix.reading import TOOLS_SHOWN
from tools.effects import Effect

PREVIEW, SAVE, TICK, CHANGE = "preview", "save", "tick", "change"
_EFFECTS: Final = (
    (Effect.READS.value, _("only read")),
    (Effect.WRITES.value, _("write and destroy nothing")),
    (Effect.DESTROYS.value, _("may destroy")),
)


class IdsField(forms.Field):
    """As many ids as a page shows at most."""

    widget = forms.SelectMultiple

    def to_python(self, value: Any) -> frozenset[UUID]:
        """The ids. Raises `ValidationError`."""
        try:
            ids = frozenset(UUID(text) for text in value or ())
        except ValueError as error:
            raise ValidationError(_("The form is not one of this page.")) from error
        if len(ids) > TOOLS_SHOWN:
            raise ValidationError(_("The form is not one of this page."))
        return ids


class ScopesForm(forms.Form):
    """Which of the tools `shown` are ticked, as the role was `seen`, and what is to be done with that."""

    do = forms.ChoiceField(choices=[(each, each) for each in (PREVIEW, SAVE, TICK, CHANGE)])
    seen = forms.DateTimeField()
    shown = IdsField(required=False)
    own = IdsField(required=False)
    whole = forms.BooleanField(required=False)
    effect = forms.ChoiceField(label=_("Tick all that"), required=False, choices=_EFFECTS)
    reason = forms.CharField(
        label=_("Reason"), required=False, max_length=REASON_MAX, help_text=_("Kept in the audit log.")
    )
