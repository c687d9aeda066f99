"""Forms of the onboarding. They shape input; the rules are the services'."""

from typing import Any, Final

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from access.models import Agent, Role
from access.services import Holder
from controlplane.onboarding.pasted import Pasted, read, suggested_slug
from controlplane.onboarding.reading import roles_for
from controlplane.templatetags.holdfast import named
from core.actor import Actor
from core.errors import Invalid
from core.language import said
from servers.forms import RegisterForm, ServerForm
from tools.inbox_forms import ChosenField
from tools.rules import REASON_MAX

PASTED_MAX: Final = 100_000
AGENTS_OFFERED: Final = 500
NEW, ME = "new", "me"


class StartForm(RegisterForm):
    """A new server: only its address has to be given, everything else has an answer already."""

    url = forms.CharField(
        label=_("URL of the MCP endpoint, or a client's configuration"),
        max_length=PASTED_MAX,
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none", "class": "mono"}
        ),
        help_text=_(
            "For example https://mcp.example.com/mcp, or the text of an mcp.json. Of a configuration only name and URL "
            "are taken along: no header, no variable, no secret."
        ),
    )
    entry = forms.ChoiceField(label=_("Which of them"), required=False, widget=forms.RadioSelect)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, actor=actor, **kwargs)
        self.order_fields(("url", "entry", "slug", "name"))
        for name in ("slug", "name"):
            self.fields[name].required = False
        self.fields["slug"].help_text = _(
            "Its namespace for ever, for example files. Empty: taken from its address or its name."
        )
        self.fields["name"].help_text = _("What people call it. Empty: as its slug.")
        self.left_out: tuple[str, ...] = ()
        self._pasted: tuple[Pasted, ...] = ()
        self._problem = ""
        if self.is_bound:
            self._read()

    def clean(self) -> dict[str, Any]:
        """The address that was meant, and a slug and a name where none were given."""
        data = super().clean() or self.cleaned_data
        chosen = self._chosen() if data.get("url") else None
        if chosen is None:
            return data
        self.left_out = chosen.left_out
        data["url"] = chosen.url
        data["slug"] = data.get("slug") or suggested_slug(chosen)
        data["name"] = data.get("name") or chosen.name.strip() or data["slug"]
        # What was worked out stands in the form too, so that it can be corrected where it is refused.
        self.data = {**self.data, "slug": data["slug"], "name": data["name"]}
        return data

    @property
    def has_several(self) -> bool:
        """Whether one of several servers is to be chosen."""
        return bool(self.fields["entry"].choices)  # type: ignore[attr-defined]

    @property
    def asks_which(self) -> bool:
        """Whether nothing is wrong but that one of several has not been chosen."""
        return set(self.errors) == {"entry"} and not self.data.get("entry")

    @property
    def has_wrong_details(self) -> bool:
        """Whether something is to be corrected that is folded away."""
        return any(name not in ("url", "entry", NON_FIELD_ERRORS) for name in self.errors)

    def registration(self) -> dict[str, Any]:
        """What `Registration` takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "entry"}

    def _read(self) -> None:
        """What was pasted, before any field is judged: of several servers one is offered to be chosen."""
        try:
            self._pasted = read(str(self.data.get("url", ""))[:PASTED_MAX])
        except Invalid as error:
            self._problem = said(error.message)
        if len(self._pasted) > 1:
            self.fields["entry"].choices = [(str(n), _label(each)) for n, each in enumerate(self._pasted)]  # type: ignore[attr-defined]

    def _chosen(self) -> Pasted | None:
        if self._problem:
            self.add_error("url", self._problem)
            return None
        wanted = self.cleaned_data.get("entry")
        if self.has_several and not wanted:
            if "entry" not in self.errors:
                self.add_error(
                    "entry", gettext("This configuration names several servers: choose the one to begin with.")
                )
            return None
        found = self._pasted[int(wanted or 0)]
        if found.problem:
            self.add_error("entry" if self.has_several else "url", said(found.problem))
            return None
        return found


class AddressForm(forms.Form):
    """The address again, where nothing that can be governed answered at it."""

    url = ServerForm.base_fields["url"]


class ApproveForm(forms.Form):
    """What is approved of the first look, and why. What is not ticked stays held."""

    review = ChosenField(error_messages={"required": _("Tick what agents may use. What is not ticked stays held.")})
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("What you checked, and why that is enough. Kept in the audit log with each approval."),
    )


class AccessForm(forms.Form):
    """Who may call it, and by which role."""

    holder = forms.ChoiceField(label=_("Who may call it"))
    agent = forms.CharField(
        label=_("Name of the new agent"),
        max_length=120,
        required=False,
        help_text=_("Only for a new one, for example ci-bot. It acts on its own, and gets a secret."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=_("By which role"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Why they need it. Kept in the audit log."),
    )

    def __init__(self, *args: Any, slug: str, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._actor = actor
        agents = Agent.objects.visible_to(actor).order_by("name").values_list("client_id", "name")[:AGENTS_OFFERED]
        self.fields["holder"].choices = [  # type: ignore[attr-defined]
            (NEW, _("A new agent")),
            (ME, _("Myself, through any application that I allow")),
            (_("Agents"), [(f"agent:{client_id}", f"{name} ({client_id[:8]}…)") for client_id, name in agents]),
        ]
        roles = Role.objects.visible_to(actor).filter(pk__in=roles_for(slug)).order_by("name")
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            *((name, name) for name in roles.values_list("name", flat=True)),
            ("", _("A new role: what is approved of this server, nothing else")),
        ]

    def clean(self) -> dict[str, Any]:
        """A new agent needs a name."""
        data = super().clean() or self.cleaned_data
        if data.get("holder") == NEW and not data.get("agent") and "agent" not in self.errors:
            self.add_error("agent", gettext("Name the new agent, or choose somebody else above."))
        return data

    def wanted(self) -> dict[str, Any]:
        """What `let_call` takes."""
        data = self.cleaned_data
        given = {"role": data["role"], "reason": data["reason"]}
        if data["holder"] == NEW:
            return given | {"agent": data["agent"]}
        if data["holder"] == ME:
            return given | {"holder": Holder(person=self._actor.name)}
        return given | {"holder": Holder(agent=data["holder"].partition(":")[2])}


def _label(pasted: Pasted) -> str:
    """Name and address; what would not be seen in them is spelled out."""
    shown = named(pasted.name or "?")
    return f"{shown}: {pasted.url.partition('?')[0]}" if pasted.url else f"{shown}: {said(pasted.problem)}"
