"""Forms of the access pages. They shape input; the rules are the services'."""

from datetime import time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from access.conditions import DAYS
from access.models import Agent, NameStyle, Person, Role, Team
from access.querysets import AgentQuerySet
from access.redirects import URI_MAX, URIS_MAX
from access.services import Holder
from core.actor import Actor
from core.fields import MomentField
from core.permissions import Permission
from core.preferences import DENSITIES, THEMES

_ENVIRONMENTS = (
    ("", _("All environments")),
    ("development", _("Development")),
    ("staging", _("Staging")),
    ("production", _("Production")),
)
_NAME_STYLES = (
    (NameStyle.DOUBLE_UNDERSCORE.value, "files__read"),
    (NameStyle.SLASH.value, "files/read"),
    (NameStyle.DOT.value, "files.read"),
)
_DAYS = tuple(
    zip(
        DAYS,
        (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")),
        strict=True,
    )
)
_ON_ITS_OWN, _FOR_PEOPLE, _FOR_PEOPLE_WITH_SECRET = "own", "people", "people_with_secret"
_AGENT_KINDS = (
    (_ON_ITS_OWN, _("On its own, as a service or a job")),
    (_FOR_PEOPLE, _("For people, from their own computer: an editor, a desktop or command-line program")),
    (_FOR_PEOPLE_WITH_SECRET, _("For people, from a server that can keep a secret: a web application")),
)
_AGENT, _PERSON, _TEAM = "agent", "person", "team"


def _reason() -> forms.CharField:
    return forms.CharField(label=_("Reason"), max_length=2000, help_text=_("Kept in the audit log."))


def _time() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


def _languages() -> list[tuple[str, Any]]:
    return [("", _("As the browser asks")), *settings.LANGUAGES]


class SignInForm(forms.Form):
    """User name and password, in a form that password managers know."""

    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PreferencesForm(forms.Form):
    """How the console looks and listens to one reader."""

    theme = forms.ChoiceField(
        label=_("Colours"),
        required=False,
        widget=forms.RadioSelect,
        choices=list(zip(THEMES, (_("As the system"), _("Light"), _("Dark")), strict=True)),
    )
    density = forms.ChoiceField(
        label=_("Density"),
        required=False,
        widget=forms.RadioSelect,
        choices=list(zip(DENSITIES, (_("With room to read"), _("Compact: more rows in sight")), strict=True)),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=_languages,
        help_text=_("It goes with you to other browsers."),
    )
    shortcuts = forms.ChoiceField(
        label=_("Single-key shortcuts"),
        widget=forms.RadioSelect,
        choices=(("on", _("On")), ("off", _("Off"))),
        help_text=_("Turn them off if you speak to your computer or press keys by accident."),
    )
    live = forms.ChoiceField(
        label=_("Live updates"),
        required=False,
        widget=forms.RadioSelect,
        choices=(("on", _("On")), ("off", _("Off"))),
        help_text=_("New calls, the inbox count and the health of servers, as they change. Off: pages stand still."),
    )


class AgentForm(forms.Form):
    """A new agent."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What people call it, for example ci-bot."))
    kind = forms.ChoiceField(label=_("It acts"), choices=_AGENT_KINDS, initial=_ON_ITS_OWN, widget=forms.RadioSelect)
    redirect_uris = forms.CharField(
        label=_("Where it has people sent back (redirect URIs)"),
        required=False,
        max_length=URIS_MAX * (URI_MAX + 2),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=_(
            "Only for an agent that acts for people; its documentation says which. One per line: https, or http on "
            "localhost, 127.0.0.1 or [::1], where any port will do."
        ),
    )
    owner_team = forms.ChoiceField(label=_("Owner team"), required=False)
    name_style = forms.ChoiceField(
        label=_("Tool names are listed as"),
        choices=_NAME_STYLES,
        help_text=_("On the endpoint that joins all servers. Calls accept the canonical name always."),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        teams = Team.objects.visible_to(actor).values_list("slug", "name")
        self.fields["owner_team"].choices = [("", _("Nobody in particular")), *teams]  # type: ignore[attr-defined]

    def wanted(self) -> dict[str, Any]:
        """What was chosen, as the service takes it."""
        data = dict(self.cleaned_data)
        kind = data.pop("kind")
        data["grant_types"] = ("client_credentials",) if kind == _ON_ITS_OWN else ("authorization_code",)
        return {**data, "redirect_uris": data["redirect_uris"].split(), "public": kind == _FOR_PEOPLE}


class AgentFilterForm(forms.Form):
    """Which agents: by when they were used last."""

    NEVER, NOT_LATELY = "never", "90"
    used = forms.ChoiceField(
        label=_("Last used"),
        required=False,
        choices=(("", _("At any time")), (NOT_LATELY, _("Not for 90 days")), (NEVER, _("Never"))),
    )

    def chosen(self, found: AgentQuerySet) -> AgentQuerySet:
        """Those of `found` that fit; all where what is asked for is no choice."""
        used = self.cleaned_data.get("used") if self.is_valid() else ""
        if used == self.NEVER:
            return found.never_used()
        return found.unused_since(timezone.now() - timedelta(days=90)) if used == self.NOT_LATELY else found


class RoleForm(forms.Form):
    """A new role: permissions of the console and API by box, MCP scopes by line."""

    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(label=_("Description"), max_length=2000, required=False)
    scopes = forms.CharField(
        label=_("MCP scopes"),
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
        help_text=_(
            "What agents may do, one per line: mcp:files:read to list, mcp:files:call to call its tools, "
            "mcp:files:tool:read_file for one tool."
        ),
    )
    permissions = forms.MultipleChoiceField(
        label=_("Permissions in console and API"),
        required=False,
        choices=[(name.value, name.value) for name in Permission if name is not Permission.PAYLOAD_READ],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("For people. You can only hand on permissions that you hold."),
    )
    reach = forms.ChoiceField(
        label=_("These permissions reach"),
        choices=(("installation", _("Everything")), ("own_teams", _("What the holder's teams own"))),
    )

    def clean(self) -> dict[str, Any]:
        """A role that holds nothing is a slip."""
        data = super().clean() or self.cleaned_data
        data["all_scopes"] = [*data.get("scopes", "").split(), *data.get("permissions", ())]
        if not data["all_scopes"] and not self.errors:
            raise ValidationError(_("Name at least one MCP scope or permission."))
        return data


class SeparationForm(forms.Form):
    """Two roles that nobody may hold together."""

    role = forms.ChoiceField(label=_("Who holds this role"))
    other = forms.ChoiceField(label=_("Never holds this one too"))
    reason = _reason()

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        names = Role.objects.visible_to(actor).values_list("name", flat=True)
        for field in ("role", "other"):
            self.fields[field].choices = [("", _("Choose a role")), *((name, name) for name in names)]  # type: ignore[attr-defined]


class GrantForm(forms.Form):
    """Give a role to somebody."""

    role = forms.ChoiceField(label=_("Role"))
    holder = forms.ChoiceField(label=_("Holder"))
    environment = forms.ChoiceField(
        label=_("Where"),
        required=False,
        choices=_ENVIRONMENTS,
        help_text=_("Limits MCP scopes to servers of one environment. A limited grant gives no console permission."),
    )
    expires_at = MomentField(
        label=_("Until (UTC)"),
        required=False,
        help_text=_("Empty: until somebody revokes it."),
    )
    networks = forms.CharField(
        label=_("Only from these networks"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text=_("One per line, like 10.0.0.0/8. Empty: from anywhere."),
    )
    days = forms.MultipleChoiceField(
        label=_("Only on these days"), required=False, choices=_DAYS, widget=forms.CheckboxSelectMultiple
    )
    starts = forms.TimeField(label=_("Only from (UTC)"), required=False, widget=_time())
    ends = forms.TimeField(
        label=_("To (UTC)"), required=False, widget=_time(), help_text=_("00:00 is the end of the day.")
    )
    reason = _reason()

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        roles = Role.objects.visible_to(actor).values_list("name", flat=True)
        self.fields["role"].choices = [("", _("Choose a role")), *((name, name) for name in roles)]  # type: ignore[attr-defined]
        self.fields["holder"].choices = _holders(actor)  # type: ignore[attr-defined]

    def holder_named(self) -> Holder:
        """The chosen holder as the service takes it."""
        kind, _separator, name = self.cleaned_data["holder"].partition(":")
        return Holder(**{kind: name})

    def conditions(self) -> dict[str, Any]:
        """The conditions as the service takes them. A box or a time that is left empty asks nothing."""
        data, found = self.cleaned_data, {}
        if networks := data["networks"].split():
            found["networks"] = networks
        starts, ends = data["starts"] or time.min, data["ends"] or time.min
        if data["days"] or starts != ends:
            days = {"days": data["days"]} if data["days"] else {}
            found["hours"] = {**days, "from": f"{starts:%H:%M}", "to": f"{ends:%H:%M}" if ends != time.min else "24:00"}
        return found


class PersonForm(forms.Form):
    """A new person."""

    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    display_name = forms.CharField(label=_("Full name"), max_length=120, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)
    password = forms.CharField(
        label=_("First password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. Hand it over in person."),
    )
    role = forms.ChoiceField(label=_("Role"), required=False, help_text=_("More roles can be granted later."))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        roles = Role.objects.visible_to(actor).values_list("name", flat=True)
        self.fields["role"].choices = [("", _("None yet")), *((name, name) for name in roles)]  # type: ignore[attr-defined]


def _holders(actor: Actor) -> list[Any]:
    agents = Agent.objects.visible_to(actor).order_by("name").values_list("client_id", "name")
    people = Person.objects.visible_to(actor).active().values_list("username", "display_name")
    teams = Team.objects.visible_to(actor).values_list("slug", "name")
    return [
        ("", _("Choose who")),
        (_("Agents"), [(f"{_AGENT}:{client_id}", f"{name} ({client_id[:8]}…)") for client_id, name in agents]),
        (_("People"), [(f"{_PERSON}:{name}", f"{shown} ({name})" if shown else name) for name, shown in people]),
        (_("Teams"), [(f"{_TEAM}:{slug}", name) for slug, name in teams]),
    ]
