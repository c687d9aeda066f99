"""Forms of decisions, policies, suspensions and suppressions. They shape input; the rules are the services'.

Those of the review inbox are in `inbox_forms`.
"""

from django import forms
from django.utils.translation import gettext_lazy as _

from access.names import NAME_MAX
from access.suspended import SuspensionKind
from core.fields import MomentField
from core.names import SLUG_MAX
from servers.rules import Environment
from servers.surface import Kind
from servers.tags import TAG_MAX
from tools.classify import ChangeClass
from tools.effects import Effect
from tools.policies import GRANTABLE, SERVERS_MAX, TEXT_CEILING, Rule
from tools.rightsizing import DAYS_MAX
from tools.rules import NAME_MAX_BYTES, REASON_MAX, DefinitionState, Verdict

KIND_CHOICES = (
    (Kind.TOOL.value, _("Tools")),
    (Kind.RESOURCE.value, _("Resources")),
    (Kind.TEMPLATE.value, _("Resource templates")),
    (Kind.PROMPT.value, _("Prompts")),
    (Kind.CARD.value, _("Server cards")),
)
EMERGENCY_HOURS = (1, 4, 8, 24)
VERDICT_CHOICES = ((Verdict.APPROVE.value, _("Approve")), (Verdict.REJECT.value, _("Reject")))


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


class CatalogueFilterForm(DefinitionFilterForm):
    """What the definitions of all servers narrow by."""

    server = forms.CharField(label=_("Server"), max_length=SLUG_MAX, required=False)
    tag = forms.CharField(label=_("Tag"), max_length=TAG_MAX, required=False)
    effect = forms.ChoiceField(
        label=_("Says that it"),
        choices=(
            ("", _("All")),
            ("may_write", _("may write or destroy")),
            (Effect.DESTROYS.value, _("may destroy")),
            (Effect.WRITES.value, _("writes, and destroys nothing")),
            (Effect.READS.value, _("only reads")),
        ),
        required=False,
    )
    served = forms.BooleanField(label=_("Agents get it now"), required=False)
    unused = forms.BooleanField(label=_("Not called for 90 days"), required=False)

    field_order = ("q", "server", "tag", "kind", "state", "effect", "served", "unused")


class DecisionForm(forms.Form):
    """A verdict on one version, with its reason. `digest` says which version was shown."""

    digest = forms.CharField(max_length=80, widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        label=_("Decision"), choices=(*VERDICT_CHOICES, (Verdict.DISMISS.value, _("Dismiss"))), widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What you checked, and why that is enough. Kept in the audit log."),
    )
    approve_until = MomentField(
        label=_("Approve until (UTC)"),
        required=False,
        help_text=_("Empty: until it changes."),
    )


class BreakGlassForm(forms.Form):
    """An emergency: one version served unapproved, for some hours."""

    digest = forms.CharField(max_length=80, widget=forms.HiddenInput)
    hours = forms.TypedChoiceField(
        label=_("For how long"), choices=[(hours, _("%d h") % hours) for hours in EMERGENCY_HOURS], coerce=int
    )
    reason = forms.CharField(
        label=_("Why it cannot wait"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What stands still until somebody decides. Whoever may decide reads this at once."),
    )


class WithdrawForm(forms.Form):
    """Takes back the approval of the version that was shown."""

    digest = forms.CharField(max_length=80)
    reason = forms.CharField(max_length=REASON_MAX)


class ReturnForm(forms.Form):
    """Goes back to an earlier version; `expected_pin` is what was shown as approved."""

    digest = forms.CharField(max_length=80)
    expected_pin = forms.CharField(max_length=80, required=False)
    reason = forms.CharField(max_length=REASON_MAX)


_CLASS_LABELS = {
    ChangeClass.INPUT_SCHEMA_EQUIVALENT: _("Arguments written differently that accept the same"),
    ChangeClass.INPUT_SCHEMA_NARROWED: _("Arguments that accept less"),
    ChangeClass.OUTPUT_SCHEMA_EQUIVALENT: _("Results written differently that allow the same"),
    ChangeClass.OUTPUT_SCHEMA_NARROWED: _("Results that allow less"),
    ChangeClass.IDENTITY_VERSION: _("The server's version number"),
    ChangeClass.CAPABILITIES_LOST: _("Fewer capabilities of the server"),
    ChangeClass.TITLE: _("A few characters of a title"),
    ChangeClass.WORDING: _("A few characters of wording"),
}
_ENVIRONMENTS = (
    (Environment.DEVELOPMENT.value, _("Development")),
    (Environment.STAGING.value, _("Staging")),
    (Environment.PRODUCTION.value, _("Production")),
)
_DAYS = ((90, _("Last 90 days")), (30, _("Last 30 days")), (7, _("Last 7 days")))


class RuleForm(forms.Form):
    """What a rule may approve, and where; and how far back to try it."""

    classes = forms.MultipleChoiceField(
        label=_("Changes that it approves"),
        choices=[(cls.value, _CLASS_LABELS[cls]) for cls in GRANTABLE],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Only what is proved to be harmless, or bounded. Never what has a finding."),
    )
    text_max = forms.IntegerField(
        label=_("Characters of text that may differ"),
        min_value=0,
        max_value=TEXT_CEILING,
        initial=0,
        help_text=_("From what people approved last, so small steps do not add up. Above 0 in development only."),
    )
    environments = forms.MultipleChoiceField(
        label=_("Environments"), choices=_ENVIRONMENTS, widget=forms.CheckboxSelectMultiple
    )
    kinds = forms.MultipleChoiceField(
        label=_("Kinds"),
        choices=KIND_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None ticked: all of them."),
    )
    servers = forms.CharField(
        label=_("Servers"),
        required=False,
        max_length=SERVERS_MAX * (SLUG_MAX + 2),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Slugs with spaces between them. Empty: all servers of these environments."),
    )
    days = forms.TypedChoiceField(
        label=_("Try it against"), choices=_DAYS, coerce=int, empty_value=None, required=False
    )

    def rule(self) -> Rule:
        """The rule of a valid form."""
        data = self.cleaned_data
        return Rule(
            classes=frozenset(map(ChangeClass, data["classes"])),
            environments=frozenset(data["environments"]),
            kinds=frozenset(data["kinds"]),
            servers=frozenset(data["servers"].replace(",", " ").split()),
            text_max=data["text_max"],
        )


class RevisionForm(RuleForm):
    """The next revision of a policy, and why."""

    why = forms.CharField(
        label=_("Why"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Why nobody has to read such changes. Kept in the audit log."),
    )


class PolicyForm(RevisionForm):
    """A new policy."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Stands in every decision that it makes. It cannot be changed.")
    )


_SUSPENDABLE = (
    (SuspensionKind.SERVER.value, _("A server")),
    (SuspensionKind.DEFINITION.value, _("A definition")),
    (SuspensionKind.AGENT.value, _("An agent")),
    (SuspensionKind.PERSON.value, _("A person")),
    (SuspensionKind.TEAM.value, _("A team: its people, agents and servers")),
    (SuspensionKind.EVERYTHING.value, _("Everything")),
)


class SuspensionForm(forms.Form):
    """What is to stop at every gateway, and why."""

    kind = forms.ChoiceField(label=_("Suspend"), choices=_SUSPENDABLE)
    name = forms.CharField(
        label=_("Name"),
        required=False,
        strip=False,
        max_length=NAME_MAX_BYTES + 64,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_(
            "A server's or team's slug, tool:files/read, an agent's client id, a user name. Empty for everything."
        ),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept in the audit log."),
    )


class SuppressionForm(forms.Form):
    """Which findings do not count for a while, and why."""

    server = forms.CharField(label=_("Server"), max_length=SLUG_MAX, help_text=_("Its slug."))
    rule = forms.CharField(
        label=_("Rule"), max_length=40, required=False, help_text=_("Such as HF-101: its findings on this server.")
    )
    digest = forms.CharField(
        label=_("Digest"), max_length=80, required=False, help_text=_("Or one version: all findings in it.")
    )
    until = forms.DateTimeField(
        label=_("Until"),
        widget=forms.DateTimeInput(attrs={"type": "date"}),
        help_text=_("The beginning of a day (UTC), a year ahead at most."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept in the audit log."),
    )


class UnusedDaysForm(forms.Form):
    """For how many days something must have been unused to be named."""

    days = forms.IntegerField(label=_("Unused for days"), min_value=1, max_value=DAYS_MAX)


class NarrowForm(UnusedDaysForm):
    """Which role to make a narrower one of, and its name."""

    role = forms.UUIDField()
    name = forms.CharField(max_length=NAME_MAX)
