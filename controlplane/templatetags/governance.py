"""Tags and filters for what is governed: states, changes, findings, grants, records. A builtin of every template."""

from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlencode

from django import template
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from access.models import Grant
from alerts.models import Alert
from audit.models import Record
from controlplane import words
from controlplane.templatetags.holdfast import ago, chip, distance, foreign, icon, tone_icon
from core.actor import Actor
from core.language import said
from core.permissions import Permission
from servers.surface import Kind
from servers.tags import TAGS_MAX
from tools.classify import ChangeClass, Risk
from tools.models import DefinitionVersion, Finding, Review
from tools.presentation import FieldView
from tools.relatives import Relation, Relative
from tools.risk import INCOMPLETE, LEVELS, is_incomplete, level
from tools.services import closing
from tools.whys import found_whys

register = template.Library()


@register.simple_tag
def state_chip(state: str) -> SafeString:
    """A state by its word, tone and icon. An unknown state shows its own word, quietly."""
    text, tone, icon_name = words.STATES.get(state, (state.replace("_", " "), "quiet", ""))
    return chip(text, tone, icon_name)


@register.simple_tag
def effect_chip(effect: str) -> SafeString:
    """What a tool says that it does."""
    return chip(*words.EFFECTS[effect])


@register.simple_tag
def matrix_cell(cell: str) -> SafeString:
    """What a role's scopes say of a tool; a page of the matrix has hundreds of these."""
    if cell in words.CELLS:
        return chip(*words.CELLS[cell])
    return format_html('<span class="faint">{}</span>', gettext("not reached"))


@register.filter
def environment(name: str) -> words.Text:
    """An environment by its word; empty means all of them."""
    return words.ENVIRONMENTS.get(name, name) if name else gettext("All environments")


@register.simple_tag
def tag_chips(tags: Sequence[str], shown: int = TAGS_MAX) -> SafeString | str:
    """A server's tags, each leading to the servers that have it; of more than `shown`, how many more there are."""
    if not tags:
        return ""
    listed, left_out = reverse("servers:list"), len(tags) - shown
    links = format_html_join(
        "",
        '<li><a class="chip chip--outline" href="{}?tag={}"><bdi>{}</bdi></a></li>',
        ((listed, quote(tag, safe=":"), tag) for tag in tags[:shown]),
    )
    more = ngettext("%(n)d more tag", "%(n)d more tags", left_out) % {"n": left_out}
    rest = format_html('<li class="small faint">{}</li>', more) if left_out > 0 else ""
    return format_html('<ul class="chips" aria-label="{}">{}{}</ul>', gettext("Tags"), links, rest)


@register.filter
def second_factor(name: str) -> words.Text:
    """A second factor by its word."""
    return words.SECOND_FACTORS.get(name, name)


@register.filter
def browser(described: str) -> str:
    """A browser by its name and system."""
    return words.browser(described)


@register.filter
def kind(name: str) -> words.Text:
    """A kind of definition by its word."""
    return words.KINDS.get(name, name)


@register.filter
def relation(relative: Relative) -> words.Text:
    """What a new definition is to a known one that it resembles; only great likeness says more than that it does."""
    if relative.resemblance.likeness < words.MUCH_ALIKE:
        return words.RESEMBLES
    if relative.relation is Relation.CLONE and relative.definition.kind == Kind.CARD:
        return words.CARD_AS_AT
    return words.RELATIONS.get(relative.relation, relative.relation)


@register.filter
def ground(name: str) -> words.Text:
    """Why an earlier decision bears on a review."""
    return words.GROUNDS.get(name, name)


@register.filter
def risk_title(name: str) -> words.Text:
    """The heading above reviews of one risk."""
    return words.RISK_TITLES.get(name, name)


@register.simple_tag
def risk_chip(name: str) -> SafeString:
    """How risky a change is."""
    return chip(*words.RISK_TONES.get(name, (name, "quiet", "")))


@register.filter
def rule_title(rule: str) -> words.Text:
    """What a scanner rule looks for."""
    return said(str(words.RULE_TITLES.get(rule, rule)))


@register.filter
def confidence(name: str) -> words.Text:
    """How sure a rule is, by its word."""
    return words.CONFIDENCES.get(name, name)


@register.filter
def stop_kind(name: str) -> words.Text:
    """What the kill switch stops, by its word."""
    return words.STOPS.get(name, name)


@register.simple_tag
def severity_chip(name: str) -> SafeString:
    """How severe a finding is."""
    return chip(*words.SEVERITIES.get(name, (name, "quiet", "")))


@register.simple_tag
def change_chip(name: str) -> SafeString:
    """One class of a change, with the tone of its risk."""
    return chip(words.CHANGES.get(name, name), _change_tone(name, otherwise="quiet"))


@register.simple_tag
def why_chips(review: Review) -> SafeString:
    """What only findings tell of a change."""
    whys = found_whys(finding.rule for finding in review.version.findings.all())
    return format_html_join("", "{}", ((chip(words.WHYS[why], "danger", "warning"),) for why in whys))


@register.simple_tag
def due(review: Review) -> SafeString:
    """How long a waiting review has left, or that it is overdue; in words."""
    if review.is_overdue:
        return format_html('<span class="due due--over">{} {}</span>', icon("warning"), _overdue(review))
    return format_html('<span class="due faint">{} {}</span>', gettext("due"), ago(review.due_at))


def _overdue(review: Review) -> SafeString:
    since = distance(int((timezone.now() - review.due_at).total_seconds()))
    text = gettext("overdue by %(distance)s") % {"distance": since}
    return format_html('<span title="{} UTC">{}</span>', f"{review.due_at:%Y-%m-%d %H:%M}", text)


@register.filter
def text_mode(name: str) -> words.Text:
    """How texts of others are shown, by its word."""
    return words.TEXT_MODES.get(name, name)


@register.filter
def by_severity(findings: Iterable[Finding]) -> list[tuple[str, int]]:
    """How many open findings of each severity, worst first; then unfinished scans and what is suppressed."""
    counts = Counter(_counted_as(finding) for finding in findings)
    return [(name, counts[name]) for name in words.FINDINGS if counts[name]]


def _counted_as(finding: Finding) -> str:
    if finding.rule == INCOMPLETE:
        return "incomplete"
    return finding.severity if getattr(finding, "suppressed_until", None) is None else "suppressed"


@register.simple_tag
def risk_level_chip(name: str) -> SafeString:
    """What open findings come to."""
    return chip(*words.RISK_LEVELS.get(name, (name, "quiet", "")))


@register.simple_tag
def version_risk(version: DefinitionVersion) -> SafeString:
    """What a version's open findings come to, and whether it was scanned whole."""
    findings = list(version.findings.all())
    found, incomplete = level(version.risk_score, findings), is_incomplete(findings)
    # That nothing was found says nothing where not all was looked at.
    chips = [] if incomplete and found == LEVELS[0] else [risk_level_chip(found)]
    chips += [chip(*words.SCAN_INCOMPLETE)] if incomplete else []
    return format_html_join(" ", "{}", ((each,) for each in chips))


@register.simple_tag
def finding_chip(finding: Finding) -> SafeString:
    """How severe a finding is; an unfinished scan is no threat, and says so."""
    return chip(*words.SCAN_INCOMPLETE) if finding.rule == INCOMPLETE else severity_chip(finding.severity)


@register.simple_tag
def severity_count(name: str, count: int) -> SafeString:
    """A severity with the number of findings that have it."""
    text, tone_name, icon_name = words.FINDINGS[name]
    return chip(f"{count} {text}", tone_name, icon_name)


@register.simple_tag
def votes(review: Review) -> SafeString:
    """How many approvals a waiting review has, of how many; in words and as dots."""
    given, needed = closing.given(review, review.decisions.all()), closing.needed(review.definition.server, review)
    dots = format_html_join(
        "",
        '<span class="votes__dot{}" aria-hidden="true"></span>',
        ((" votes__dot--given" if number < given else "",) for number in range(needed)),
    )
    text = gettext("%(given)d of %(needed)d") % {"given": given, "needed": needed}
    return format_html('<span class="votes">{}<span>{}</span></span>', dots, text)


@register.filter
def alert_kind(name: str) -> words.Text:
    """A kind of alert by its words."""
    return words.ALERT_KINDS.get(name, name)


@register.simple_tag
def alert_url(alert: Alert) -> str:
    """The page where somebody can do something about an alert."""
    if alert.kind in ("break_glass", "drift", "review_waiting", "shown_differently") and alert.server:
        return f"{reverse('tools:inbox')}?{urlencode({'server': alert.server})}"
    if alert.kind == "suspended":
        return reverse("tools:suspensions")
    if alert.server:
        return reverse("tools:server_detail", args=[alert.server])
    return reverse("alerts:channels")


@register.simple_tag
def change_sentence(name: str, sentences: Sequence[str], index: int) -> SafeString:
    """What one class of a change means, as an item of a list."""
    tone_name = _change_tone(name, otherwise="info")
    sentence = said(sentences[index]) if index < len(sentences) else name
    return format_html(
        '<li><span class="tone-{}">{}</span><span>{}</span></li>', tone_name, icon(tone_icon(tone_name)), sentence
    )


@register.filter
def structured(changed: FieldView) -> bool:
    """Whether a changed field is JSON rather than words."""
    return (changed.after or changed.before or "").startswith(("{", "["))


@register.simple_tag
def record_chip(record: Record) -> SafeString:
    """What sort of audit record it is, and what was decided."""
    if record.decision == "denied" or record.type == "deny":
        return state_chip("denied")
    if record.type == "outcome":
        return chip(gettext("outcome"), "ok", "check") if record.status in ("", "ok") else _failed(record)
    text, tone_name, icon_name = words.RECORD_TYPES.get(record.type, (record.type, "quiet", ""))
    return chip(text, tone_name, icon_name)


@register.filter
def facts(record: Record) -> list[tuple[str, str]]:
    """Label and value of every column of a record that says something."""
    shown = []
    for name, label in words.RECORD_FACTS.items():
        value = getattr(record, name)
        if isinstance(value, memoryview | bytes):
            value = bytes(value).hex()
        if value not in (None, "", []):
            shown.append((str(label), ", ".join(value) if isinstance(value, list) else str(value)))
    needed = record.after.get(words.SCOPES_NEEDED) if isinstance(record.after, dict) else None
    if isinstance(needed, list):
        shown.append((gettext("Scopes that the token needed"), ", ".join(map(str, needed))))
    return shown


def _change_tone(name: str, *, otherwise: str) -> str:
    if name == ChangeClass.NEW:
        return "info"
    return {Risk.HIGH: "danger", Risk.MEDIUM: "warn"}.get(words.RISKS.get(name, Risk.LOW), otherwise)


def _failed(record: Record) -> SafeString:
    return chip(record.status.replace("_", " "), "warn", "warning")


@register.simple_tag
def grant_chip(grant: Grant) -> SafeString:
    """Whether a grant holds now."""
    if grant.revoked_at is not None:
        return state_chip("revoked")
    expired = grant.expires_at is not None and grant.expires_at <= timezone.now()
    return state_chip("expired" if expired else "active")


@register.simple_tag(takes_context=True)
def holder(context: Context, grant: Grant) -> SafeString:
    """Who holds a grant, what they are, and the way to their page for who may open it."""
    if grant.agent is not None:
        agent = Permission.AGENT_READ, "access:agent", grant.agent.public_id
        return _holder(context, "agent", grant.agent.name, "", agent)
    if grant.team is not None:
        team = Permission.TEAM_READ, "access:team", grant.team.slug
        return _holder(context, "people", grant.team, gettext("team"), team)
    assert grant.person is not None  # noqa: S101 -- a grant has exactly one holder
    person = Permission.PERSON_MANAGE, "access:person_sign_in", grant.person.public_id
    return _holder(context, "person", grant.person, gettext("person"), person)


def _holder(
    context: Context, picture: str, name: object, label: str, way: tuple[Permission, str, object]
) -> SafeString:
    permission, page, argument = way
    shown = foreign(name)
    if context["request"].actor.may_somewhere(permission):
        shown = format_html('<a href="{}">{}</a>', reverse(page, args=[argument]), shown)
    said = format_html(' <span class="faint small">{}</span>', label) if label else ""
    return format_html('<span class="row">{}{}{}</span>', icon(picture), shown, said)


@register.filter
def holds(actor: Actor, permission: str) -> bool:
    """Whether `actor` has `permission` for something."""
    return actor.may_somewhere(permission)


@register.simple_tag(takes_context=True)
def suspension_chip(context: Context, kind: str, name: object) -> SafeString | str:
    """That the kill switch holds something, beside whatever its own state is."""
    suspended = getattr(context["request"], "suspended", ())
    return chip(gettext("kill switch"), "danger", "stop") if (kind, str(name)) in suspended else ""


@register.simple_tag(takes_context=True)
def suspension_link(context: Context, kind: str, name: str, is_small: bool = False) -> SafeString | str:  # noqa: FBT001, FBT002 -- a tag's argument
    """The way to the kill switch with its form filled in, for who may set it."""
    if not context["request"].actor.may_somewhere(Permission.SUSPENSION_SET):
        return ""
    url = f"{reverse('tools:suspensions')}?{urlencode({'kind': kind, 'name': name})}#suspend"
    size = " button--small" if is_small else ""
    label = gettext("Kill switch")
    return format_html('<a class="button button--danger{}" href="{}">{}{}</a>', size, url, icon("stop"), label)
