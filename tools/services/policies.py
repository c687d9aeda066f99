"""Writing change policies, signing them, and putting one revision in force or none.

A policy approves in the name of the people who signed the revision in force: whoever wrote it and whoever confirmed
it, so both have to be people who may decide reviews. Their voices count as they would in a review (`closing.counts`),
so a policy gets nobody around four eyes.
"""

from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from access.models import Person
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from audit.services import record
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid, NotFound, PermissionDenied, SecondFactorNeeded
from core.names import subject
from core.permissions import Permission
from servers.models import Server
from servers.rules import Environment
from tools.models import ChangePolicy, PolicyRevision
from tools.policies import Rule, flaws
from tools.services.groundwork import given_reason

NAME_MAX: Final = 100


@audited_denials
def write_policy(*, name: str, rule: Rule, why: str, actor: Actor) -> PolicyRevision:
    """Write a policy's first revision. It decides nothing until it is put in force.

    Raises `PermissionDenied` (`policy:manage` and, as it will decide in the writer's name, `review:decide`), `Invalid`
    by field, `Conflict` when there is a policy of this name.
    """
    title = name.strip()
    _permit(actor, title[:80], Permission.REVIEW_DECIDE)
    if not title or len(title) > NAME_MAX or not title.isprintable():
        raise Invalid(f"A name of 1 to {NAME_MAX} printable characters.", field="name")
    reason, person = _checked(rule, why, actor), _person(actor)
    try:
        with transaction.atomic():
            policy = ChangePolicy.objects.create(name=title)
    except IntegrityError as error:
        raise Conflict(f"There is a policy '{title}' already; write its next revision.", field="name") from error
    return _add(policy, 1, rule, reason, person, actor)


@audited_denials
def revise_policy(*, policy_id: UUID, rule: Rule, why: str, actor: Actor) -> PolicyRevision:
    """Write a policy's next revision. The one in force stays in force until this one is put in its place.

    Raises as `write_policy`, and `NotFound`.
    """
    policy = _locked(policy_id, actor, Permission.REVIEW_DECIDE)
    reason, person = _checked(rule, why, actor), _person(actor)
    last = policy.revisions.order_by("-n").values_list("n", flat=True).first() or 0
    return _add(policy, last + 1, rule, reason, person, actor)


@audited_denials
def confirm_revision(*, policy_id: UUID, n: int, reason: str, actor: Actor) -> PolicyRevision:
    """Sign a revision as its second person; from then on it approves as two people would.

    Raises as `write_policy`, `NotFound`, `PermissionDenied` for whoever wrote it, `Conflict` when it is confirmed.
    """
    policy = _locked(policy_id, actor, Permission.REVIEW_DECIDE)
    why, person, revision = given_reason(reason), _person(actor), _revision(policy, n)
    _refuse_password_alone(actor, policy, revision)
    if revision.confirmed_by_id is not None:
        raise Conflict("This revision is confirmed already.")
    if revision.written_by_id == person.pk:
        raise PermissionDenied("You wrote this revision; another person has to confirm it.")
    revision.confirmed_by, revision.confirmed_at = person, timezone.now()
    revision.save(update_fields=["confirmed_by", "confirmed_at"])
    _record(Event.POLICY_CONFIRMED, policy, actor, why, after={"revision": n})
    return revision


@audited_denials
def enable_policy(*, policy_id: UUID, n: int, reason: str, actor: Actor) -> ChangePolicy:
    """Put revision `n` in force, in place of any other. It judges what the next looks find, not what waits already.

    Raises `NotFound`; `Invalid` (reason); `Conflict` when it is in force already.
    """
    policy = _locked(policy_id, actor)
    why, revision = given_reason(reason), _revision(policy, n)
    _refuse_password_alone(actor, policy, revision)
    if policy.in_force_id == revision.pk:
        raise Conflict("This revision is in force already.")
    before = {"revision": policy.in_force.n if policy.in_force else None}
    policy.in_force = revision
    policy.save(update_fields=["in_force"])
    _record(Event.POLICY_ENABLED, policy, actor, why, before=before, after={"revision": n})
    return policy


@audited_denials
def disable_policy(*, policy_id: UUID, reason: str, actor: Actor) -> ChangePolicy:
    """Let a policy approve nothing more. What it approved stays approved until somebody withdraws it.

    Raises `NotFound`; `Invalid` (reason); `Conflict` when none of its revisions is in force.
    """
    policy = _locked(policy_id, actor)
    why = given_reason(reason)
    if policy.in_force is None:
        raise Conflict("None of its revisions is in force.")
    before = {"revision": policy.in_force.n}
    policy.in_force = None
    policy.save(update_fields=["in_force"])
    _record(Event.POLICY_DISABLED, policy, actor, why, before=before, after={"revision": None})
    return policy


def refuse_flawed(rule: Rule, actor: Actor) -> None:
    """Raise `Invalid`, by field, for a rule that may not be written, or that names a server there is none of."""
    found = flaws(rule)
    if not found:
        known = set(Server.objects.visible_to(actor).filter(slug__in=rule.servers).values_list("slug", flat=True))
        unknown = sorted(rule.servers - known)
        found = {"servers": f"There is no server {', '.join(unknown)}."} if unknown else {}
    if found:
        raise Invalid("This rule cannot be written.", details=found)


def permit_managing(actor: Actor, about: str) -> None:
    """Refuse who may not manage policies. Call it inside an audited service."""
    _permit(actor, about)


def _permit(actor: Actor, name: str, *more: Permission) -> None:
    """Refuse whoever does not hold `policy:manage` and `more` everywhere: a policy reaches across teams."""
    for permission in (Permission.POLICY_MANAGE, *more):
        refuse_unless(
            actor.kind is ActorKind.PERSON and actor.may(permission),
            actor=actor,
            permission=permission,
            subject=subject("policy", name),
        )


def _locked(policy_id: UUID, actor: Actor, *more: Permission) -> ChangePolicy:
    """The policy with its row locked; the permissions are asked before anything is said of it."""
    _permit(actor, str(policy_id), *more)
    visible = ChangePolicy.objects.visible_to(actor).select_for_update(of=("self",))
    return visible.select_related("in_force").by_id(policy_id)


def _refuse_password_alone(actor: Actor, policy: ChangePolicy, revision: PolicyRevision) -> None:
    """A policy that reaches production decides there: putting it in force takes what deciding there takes."""
    if Environment.PRODUCTION.value in revision.environments and actor.lacks_second_factor:
        raise SecondFactorNeeded(subject=subject("policy", policy.name))


def _revision(policy: ChangePolicy, n: int) -> PolicyRevision:
    found = policy.revisions.filter(n=n).first() if 0 < n < 2**31 else None
    if found is None:
        raise NotFound("There is no such revision.")
    return found


def _person(actor: Actor) -> Person:
    person = Person.objects.filter(public_id=actor.id, is_active=True).first()
    if person is None:
        raise NotFound("The person is not known.")
    return person


def _checked(rule: Rule, why: str, actor: Actor) -> str:
    said = given_reason(why, field="why")
    refuse_flawed(rule, actor)
    return said


def _add(policy: ChangePolicy, n: int, rule: Rule, why: str, person: Person, actor: Actor) -> PolicyRevision:
    facts: dict[str, Any] = {
        "classes": sorted(cls.value for cls in rule.classes),
        "kinds": sorted(rule.kinds),
        "environments": sorted(rule.environments),
        "servers": sorted(rule.servers),
        "text_max": rule.text_max,
    }
    revision = PolicyRevision.objects.create(policy=policy, n=n, written_by=person, why=why, **facts)
    _record(Event.POLICY_WRITTEN, policy, actor, why, after={"revision": n, **facts})
    return revision


def _record(
    event: Event,
    policy: ChangePolicy,
    actor: Actor,
    reason: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
) -> None:
    record(
        type=RecordType.CONFIG,
        event=event,
        actor=actor,
        subject=subject("policy", policy.name),
        reason=reason,
        before=before,
        after={"policy": str(policy.public_id), **after},
    )
