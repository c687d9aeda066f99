"""API of change policies: writing, signing, putting in force, and trying a rule against history."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.api import actor_of, parsed, require
from core.names import SLUG_MAX
from core.needs import asks
from core.permissions import Permission
from servers.rules import Environment
from servers.surface import Kind
from tools import services
from tools.classify import ChangeClass
from tools.models import ChangePolicy, PolicyRevision
from tools.policies import GRANTABLE, SERVERS_MAX, TEXT_CEILING, Reason, Rule
from tools.rules import REASON_MAX, ReviewState
from tools.services.policies import NAME_MAX
from tools.services.trying import BY_POLICY, DAYS_MAX

ROWS_MAX = 200
_CLASSES = sorted(cls.value for cls in GRANTABLE)
_OUTCOMES = [*(state.value for state in ReviewState), BY_POLICY]


class RuleSerializer(serializers.Serializer[Any]):
    """What a rule may approve, and where. No kinds: every kind; no servers: every server."""

    classes = serializers.ListField(child=serializers.ChoiceField(choices=_CLASSES), allow_empty=False, max_length=50)
    environments = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.value for each in Environment]), allow_empty=False, max_length=10
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=[kind.value for kind in Kind]),
        required=False,
        default=list,
        max_length=10,
    )
    servers = serializers.ListField(
        child=serializers.CharField(max_length=SLUG_MAX), required=False, default=list, max_length=SERVERS_MAX
    )
    text_max = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=TEXT_CEILING,
        help_text="Characters of text that may differ from what people approved; in development only.",
    )


class RevisionWriteSerializer(RuleSerializer):
    """A revision to be written, and why."""

    why = serializers.CharField(max_length=REASON_MAX)


class PolicyWriteSerializer(RevisionWriteSerializer):
    """A policy to be written, with its first revision."""

    name = serializers.CharField(max_length=NAME_MAX)


class TrialWriteSerializer(RuleSerializer):
    """A rule to be tried against the last days."""

    days = serializers.IntegerField(required=False, default=DAYS_MAX, min_value=1, max_value=DAYS_MAX)


class SigningSerializer(serializers.Serializer[Any]):
    """Which revision, and why."""

    revision = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=REASON_MAX)


class PolicyReasonSerializer(serializers.Serializer[Any]):
    """Why it approves nothing more."""

    reason = serializers.CharField(max_length=REASON_MAX)


class RevisionSerializer(serializers.ModelSerializer[PolicyRevision]):
    """One revision of a rule, who wrote it and who confirmed it."""

    revision = serializers.IntegerField(source="n")
    written_by = serializers.CharField(source="written_by.username")
    confirmed_by = serializers.CharField(source="confirmed_by.username", default=None, allow_null=True)

    class Meta:
        model = PolicyRevision
        fields = (
            "revision", "classes", "environments", "kinds", "servers", "text_max", "why", "written_by", "written_at",
            "confirmed_by", "confirmed_at",
        )  # fmt: skip


class PolicySerializer(serializers.ModelSerializer[ChangePolicy]):
    """One policy. `in_force` is the number of the revision that decides, null while none does."""

    id = serializers.UUIDField(source="public_id")
    in_force = serializers.IntegerField(source="in_force.n", default=None, allow_null=True)
    newest = serializers.IntegerField()
    decisions = serializers.IntegerField(source="decided", help_text="How many changes it approved.")

    class Meta:
        model = ChangePolicy
        fields = ("id", "name", "in_force", "newest", "decisions", "created_at")


class PolicyDetailSerializer(PolicySerializer):
    """One policy with every revision, newest first."""

    revisions = RevisionSerializer(many=True)

    class Meta:
        model = ChangePolicy
        fields = (*PolicySerializer.Meta.fields, "revisions")


class TriedSerializer(serializers.Serializer[Any]):
    """A change that the rule would have approved, and what came of it."""

    id = serializers.UUIDField(source="review.public_id", help_text="The review.")
    server = serializers.CharField(source="review.definition.server.slug")
    kind = serializers.CharField(source="review.definition.kind")
    name = serializers.CharField(source="review.definition.name")
    change = serializers.ListField(child=serializers.CharField(), source="review.change")
    characters = serializers.IntegerField(help_text="Characters of text that differ from what people approved.")
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    opened_at = serializers.DateTimeField(source="review.opened_at")


class TrialSerializer(serializers.Serializer[Any]):
    """What came of trying a rule. `cut`: there was more than could be read; the newest changes were."""

    days = serializers.IntegerField()
    changes = serializers.IntegerField(help_text="Changes of approved definitions in these days.")
    would_approve = serializers.SerializerMethodField()
    outcomes = serializers.DictField(
        child=serializers.IntegerField(), help_text="What came of those, by outcome: `rejected` is where people differ."
    )
    declined = serializers.SerializerMethodField(
        help_text="Why it would not have approved others that it names, by reason."
    )
    cut = serializers.BooleanField()
    reviews = serializers.SerializerMethodField(help_text=f"The newest {ROWS_MAX} of them.")

    def get_would_approve(self, trial: services.Trial) -> int:
        """How many changes it would have approved."""
        return len(trial.rows)

    @extend_schema_field(
        {
            "type": "object",
            "properties": {reason.value: {"type": "integer"} for reason in Reason},
            "additionalProperties": False,
        }
    )
    def get_declined(self, trial: services.Trial) -> dict[str, int]:
        """Counts by reason."""
        return {reason.value: count for reason, count in sorted(trial.declined.items())}

    @extend_schema_field(TriedSerializer(many=True))
    def get_reviews(self, trial: services.Trial) -> Any:
        """The newest rows."""
        return TriedSerializer(trial.rows[:ROWS_MAX], many=True).data


class PolicyViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[ChangePolicy]):
    """Written rules that approve harmless changes by themselves."""

    queryset = ChangePolicy.objects.none()
    serializer_class = PolicySerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"
    needs: ClassVar = {
        "list": asks(Permission.POLICY_READ),
        "retrieve": asks(Permission.POLICY_READ),
        "create": asks(Permission.POLICY_MANAGE, Permission.REVIEW_DECIDE),
        "revise": asks(Permission.POLICY_MANAGE, Permission.REVIEW_DECIDE),
        "confirm": asks(Permission.POLICY_MANAGE, Permission.REVIEW_DECIDE),
        "enable": asks(Permission.POLICY_MANAGE),
        "disable": asks(Permission.POLICY_MANAGE),
        "try_rule": asks(Permission.POLICY_MANAGE),
    }

    def get_queryset(self) -> QuerySet[ChangePolicy]:
        """What the actor may see."""
        return ChangePolicy.objects.visible_to(require(self.request, Permission.POLICY_READ)).for_list()

    @extend_schema(responses=PolicyDetailSerializer)
    def retrieve(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """One policy with every revision."""
        actor = require(request, Permission.POLICY_READ)
        found = ChangePolicy.objects.visible_to(actor).for_list().with_revisions().by_id(id)
        return Response(PolicyDetailSerializer(found).data)

    @extend_schema(request=PolicyWriteSerializer, responses={201: PolicyDetailSerializer})
    def create(self, request: Request) -> Response:
        """Write a policy. It approves nothing until one of its revisions is put in force."""
        data = parsed(PolicyWriteSerializer, request)
        written = services.write_policy(name=data["name"], rule=_rule(data), why=data["why"], actor=actor_of(request))
        return Response(_detail(written.policy), status=status.HTTP_201_CREATED)

    @extend_schema(request=RevisionWriteSerializer, responses={201: PolicyDetailSerializer})
    @action(detail=True, methods=["post"])
    def revise(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Write the next revision. The one in force stays in force until this one is put in its place."""
        data = parsed(RevisionWriteSerializer, request)
        written = services.revise_policy(policy_id=id, rule=_rule(data), why=data["why"], actor=actor_of(request))
        return Response(_detail(written.policy), status=status.HTTP_201_CREATED)

    @extend_schema(request=SigningSerializer, responses=PolicyDetailSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Sign a revision as its second person."""
        data = parsed(SigningSerializer, request)
        signed = services.confirm_revision(
            policy_id=id, n=data["revision"], reason=data["reason"], actor=actor_of(request)
        )
        return Response(_detail(signed.policy))

    @extend_schema(request=SigningSerializer, responses=PolicyDetailSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Put a revision in force. It judges what the next looks at servers find, not what waits already."""
        data = parsed(SigningSerializer, request)
        policy = services.enable_policy(
            policy_id=id, n=data["revision"], reason=data["reason"], actor=actor_of(request)
        )
        return Response(_detail(policy))

    @extend_schema(request=PolicyReasonSerializer, responses=PolicyDetailSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, id: UUID) -> Response:  # noqa: A002 -- the route's parameter
        """Let it approve nothing more. What it approved stays approved until somebody withdraws it."""
        reason = parsed(PolicyReasonSerializer, request)["reason"]
        return Response(_detail(services.disable_policy(policy_id=id, reason=reason, actor=actor_of(request))))

    @extend_schema(request=TrialWriteSerializer, responses=TrialSerializer, operation_id="policies_try")
    @action(detail=False, methods=["post"], url_path="try", url_name="try")
    def try_rule(self, request: Request) -> Response:
        """What a rule would have approved of the last days, and what people decided instead. Nothing is written."""
        data = parsed(TrialWriteSerializer, request)
        trial = services.try_policy(rule=_rule(data), days=data["days"], actor=actor_of(request))
        return Response(TrialSerializer(trial).data)


def _rule(data: dict[str, Any]) -> Rule:
    return Rule(
        classes=frozenset(map(ChangeClass, data["classes"])),
        environments=frozenset(data["environments"]),
        kinds=frozenset(data["kinds"]),
        servers=frozenset(data["servers"]),
        text_max=data["text_max"],
    )


def _detail(policy: ChangePolicy) -> Any:
    """The policy as it is after a command that the actor was allowed."""
    return PolicyDetailSerializer(ChangePolicy.objects.for_list().with_revisions().get(pk=policy.pk)).data
