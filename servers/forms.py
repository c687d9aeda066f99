"""Forms of the server pages. They shape input; the rules are the services'."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from access.intentions import NOT_NEEDED, IntentionNeeded
from access.models import Team
from core.actor import Actor
from core.names import SLUG_MAX
from servers.limits import BOUNDS, DEFAULTS, LIMITS
from servers.models import Server
from servers.rules import Answers, DriftMode, Environment, ServerState
from servers.services import POLL_INTERVAL
from servers.tags import TAG_MAX, TAGS_MAX

ENVIRONMENTS = (
    (Environment.DEVELOPMENT.value, _("Development")),
    (Environment.STAGING.value, _("Staging")),
    (Environment.PRODUCTION.value, _("Production")),
)
DRIFT_MODES = (
    (DriftMode.BLOCK.value, _("Nothing of it")),
    (DriftMode.SERVE_PINNED.value, _("The approved text, where the change cannot hurt")),
)
INTENTIONS = (
    (IntentionNeeded.NONE.value, _("None")),
    (IntentionNeeded.SENSITIVE.value, _("Those of what is marked sensitive")),
    (IntentionNeeded.ALL.value, _("All")),
)
ANSWERS = (
    (Answers.OFF.value, _("Not looked at")),
    (Answers.RECORD.value, _("Recorded")),
    (Answers.MARK.value, _("Recorded, and marked for the agent")),
    (Answers.WITHHOLD.value, _("Recorded, and withheld where the risk is high")),
)
STATES = (
    (ServerState.REGISTERED.value, _("Registered")),
    (ServerState.ACTIVE.value, _("Active")),
    (ServerState.NEEDS_CREDENTIALS.value, _("Needs credentials")),
    (ServerState.SUSPENDED.value, _("Suspended")),
    (ServerState.RETIRED.value, _("Retired")),
)


def _choice(label: Any, choices: Any, initial: str, hint: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, initial=initial, required=False, widget=forms.RadioSelect, help_text=hint
    )


def _limit(name: str, label: Any, hint: Any) -> forms.IntegerField:
    low, high = BOUNDS[name]
    return forms.IntegerField(
        label=label, help_text=hint, min_value=low, max_value=high, initial=getattr(DEFAULTS, name)
    )


class TagsField(forms.CharField):
    """Words with spaces or commas between them."""

    def prepare_value(self, value: Any) -> Any:
        """Those of a server in one line; what was typed stays as it was."""
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        """Each word by itself."""
        return str(super().clean(value)).replace(",", " ").split()


class ServerForm(forms.Form):
    """What can be changed of a server later."""

    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("What people call it."))
    url = forms.CharField(
        label=_("URL of the MCP endpoint"),
        max_length=2000,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Streamable HTTP, for example https://mcp.example.com/mcp. No user or password in it."),
    )
    environment = forms.ChoiceField(label=_("Environment"), choices=ENVIRONMENTS)
    team = forms.ChoiceField(label=_("Owner team"), required=False, help_text=_("Its members may look after it."))
    required_approvals = forms.TypedChoiceField(
        label=_("Approvals per change"),
        coerce=int,
        choices=((1, _("One person")), (2, _("Two people"))),
        help_text=_("With two, neither of them may have registered the server or last changed its URL."),
    )
    tags = TagsField(
        label=_("Tags"),
        required=False,
        max_length=TAGS_MAX * (TAG_MAX + 2),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}),
        help_text=_(
            "Words to find it by, with spaces between them, for example payments vendor:acme. No rule reads them."
        ),
    )
    poll_interval = forms.IntegerField(
        label=_("Seconds between polls"), min_value=POLL_INTERVAL[0], max_value=POLL_INTERVAL[1], initial=300
    )
    capture = forms.JSONField(
        label=_("What is kept of calls"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
        help_text=_(
            'Nothing beside commitments where it is empty. {"arguments": true, "result": true} keeps both, encrypted '
            "and without secrets, for auditors. Rules for single fields: see the documentation of payloads."
        ),
    )
    drift_mode = _choice(
        _("While a change waits, agents get"),
        DRIFT_MODES,
        DriftMode.BLOCK.value,
        _("The latter only for wording, titles, icons and equivalent schemas without a serious finding."),
    )

    intention = _choice(
        _("Calls that must say why"),
        INTENTIONS,
        NOT_NEEDED,
        _("In _meta, under holdfast/intention. The audit log keeps it; the server is not told."),
    )

    answers = _choice(
        _("Answers that speak to the model"),
        ANSWERS,
        Answers.RECORD.value,
        _("Orders to the model, invisible text and secrets in what tools, resources and prompts answer."),
    )

    connect_seconds = _limit(
        "connect_seconds", _("Connecting, seconds"), _("Until the connection must stand. 1 to 60, usually 5.")
    )
    first_byte_seconds = _limit(
        "first_byte_seconds",
        _("Waiting for an answer, seconds"),
        _("Until it must begin. A server that answers in one piece thinks within it. Usually 60."),
    )
    idle_seconds = _limit(
        "idle_seconds",
        _("Longest silence, seconds"),
        _("Within an answer that has begun; any byte ends it. Usually 60."),
    )
    total_seconds = _limit(
        "total_seconds", _("A whole call, seconds"), _("The three others fit into it. 1 to 3600, usually 300.")
    )
    answer_bytes = _limit(
        "answer_bytes",
        _("Largest answer, bytes"),
        _("Or message of a stream. Usually 16777216, which are 16 MiB; 64 MiB at most."),
    )
    stream_seconds = _limit(
        "stream_seconds",
        _("Life of a stream, seconds"),
        _("Then it ends, and clients open another. 10 to 86400, usually 3600."),
    )
    concurrent_calls = _limit(
        "concurrent_calls",
        _("Calls at once"),
        _("In each gateway process; one caller gets three quarters. 1 to 500, usually 64."),
    )
    concurrent_streams = _limit(
        "concurrent_streams", _("Streams at once"), _("Counted in the same way. 1 to 500, usually 64.")
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.is_bound:
            # A page that was opened before an upgrade sends no limits: they stay as they are.
            standing = {name: self.get_initial_for_field(self.fields[name], name) for name in LIMITS}
            self.data = standing | dict(self.data.items())
        teams = Team.objects.visible_to(actor).values_list("slug", "name")
        self.fields["team"].choices = [("", _("Nobody in particular")), *teams]  # type: ignore[attr-defined]

    @property
    def has_wrong_limits(self) -> bool:
        """Whether a limit is to be corrected, so that the fold that holds them is open."""
        return any(name in self.errors for name in LIMITS)

    def clean_capture(self) -> Any:
        """What was written; a form that does not have the field leaves it as it is."""
        if self.add_prefix("capture") not in self.data:
            return self.initial.get("capture", {})
        return {} if self.cleaned_data["capture"] is None else self.cleaned_data["capture"]

    def clean_tags(self) -> list[str]:
        """What was written; a form that does not have the field leaves them as they are."""
        found: list[str] = self.cleaned_data["tags"]
        return found if self.add_prefix("tags") in self.data else self.initial.get("tags", [])

    def clean_drift_mode(self) -> str:
        """What was chosen; without a choice it stays as it is."""
        return str(self.cleaned_data["drift_mode"] or self.initial.get("drift_mode") or DriftMode.BLOCK.value)

    def clean_intention(self) -> str:
        """As for `drift_mode`."""
        return str(self.cleaned_data["intention"] or self.initial.get("intention") or NOT_NEEDED)

    def clean_answers(self) -> str:
        """As for `drift_mode`."""
        return str(self.cleaned_data["answers"] or self.initial.get("answers") or Answers.RECORD.value)


class RegisterForm(ServerForm):
    """A new server. The slug comes first: it is the one thing that stays."""

    slug = forms.CharField(
        label=_("Slug"),
        max_length=SLUG_MAX,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}),
        help_text=_("Its namespace for ever, for example files. Small letters, digits, single hyphens."),
    )
    field_order = ("slug", "name", "url")


class ServerFilterForm(forms.Form):
    """What the list of servers narrows by. Unknown values narrow nothing."""

    state = forms.ChoiceField(label=_("State"), choices=(("", _("All but retired")), *STATES), required=False)
    environment = forms.ChoiceField(label=_("Environment"), choices=(("", _("All")), *ENVIRONMENTS), required=False)
    tag = forms.CharField(label=_("Tag"), max_length=TAG_MAX, required=False)
    q = forms.CharField(label=_("Name or slug"), max_length=100, required=False)


def values_of(server: Server) -> dict[str, Any]:
    """A server as the form shows it."""
    return {
        "name": server.name,
        "url": server.url,
        "environment": server.environment,
        "team": server.owner_team.slug if server.owner_team else "",
        "required_approvals": server.required_approvals,
        "poll_interval": server.poll_interval,
        "capture": server.capture,
        "drift_mode": server.drift_mode,
        "intention": server.intention,
        "answers": server.answers,
        "tags": server.tags,
        **asdict(server.limits),
    }


def changed(server: Server, data: dict[str, Any]) -> dict[str, Any]:
    """Only what differs from the server as it is, so that the audit record says what was changed."""
    before = values_of(server)
    return {name: value for name, value in data.items() if value != before[name]}
