"""What the lists of `access` can be narrowed by in the API."""

from datetime import datetime

import django_filters
from django.db.models import QuerySet

from access.models import Agent, AgentState, Grant, Person
from access.querysets import AgentQuerySet


class PersonFilter(django_filters.FilterSet):
    """Filters of the list of people."""

    active = django_filters.BooleanFilter(field_name="is_active")

    class Meta:
        model = Person
        fields = ("active",)


class AgentFilter(django_filters.FilterSet):
    """Filters of the list of agents."""

    state = django_filters.ChoiceFilter(choices=[(state.value, state.value) for state in AgentState])
    team = django_filters.CharFilter(field_name="owner_team__slug")
    never_used = django_filters.BooleanFilter(field_name="use", lookup_expr="isnull", label="Never let through.")
    unused_since = django_filters.IsoDateTimeFilter(
        method="not_used_since", label="Registered by then, and not let through since."
    )

    class Meta:
        model = Agent
        fields = ("state", "team", "never_used", "unused_since")

    def not_used_since(self, queryset: AgentQuerySet, _name: str, value: datetime) -> AgentQuerySet:
        """Those that may be no longer needed."""
        return queryset.unused_since(value)


class GrantFilter(django_filters.FilterSet):
    """Filters of the list of grants."""

    role = django_filters.CharFilter(field_name="role__name", lookup_expr="iexact")
    agent = django_filters.CharFilter(field_name="agent__client_id")
    person = django_filters.CharFilter(field_name="person__username", lookup_expr="iexact")
    team = django_filters.CharFilter(field_name="team__slug")
    live = django_filters.BooleanFilter(method="only_live")

    class Meta:
        model = Grant
        fields = ("role", "agent", "person", "team", "live")

    def only_live(self, queryset: QuerySet[Grant], _name: str, value: bool) -> QuerySet[Grant]:  # noqa: FBT001 -- a filter's shape
        """Those that hold now, or those that no longer do."""
        live = Grant.objects.live().values("pk")
        return queryset.filter(pk__in=live) if value else queryset.exclude(pk__in=live)
