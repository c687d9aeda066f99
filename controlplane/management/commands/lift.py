"""Let something go on that was suspended, from a shell on the host (docs/operations/kill-switch.md)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.models import Suspension
from access.services import lift
from access.suspended import SuspensionKind
from controlplane.switching import acting
from core.errors import DomainError


class Command(BaseCommand):
    """`manage.py lift server files --reason "Repaired." --as ben`."""

    help = "Lift a suspension: as a second person, or as the host itself, which stays an open alert."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is named, and the options."""
        parser.add_argument("kind", choices=[kind.value for kind in SuspensionKind])
        parser.add_argument("name", nargs="?", default="", help="as `suspend` takes it")
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        parser.add_argument("--as", dest="username", default="", help="the person who does it; without: the host")

    def handle(self, *, kind: str, name: str, reason: str, username: str, **_options: Any) -> None:
        """Lift it."""
        called = {"title": name} if kind == SuspensionKind.PERSON.value else {"name": name}
        row = Suspension.objects.live().titled().filter(kind=kind, **called).first()
        if row is None:
            raise CommandError(f"Not suspended: {kind} {name}".rstrip())
        try:
            lift(suspension_id=row.public_id, actor=acting(username), reason=reason)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"lifted: {kind} {name}".rstrip())
