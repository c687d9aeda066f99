"""Stop something at every gateway, from a shell on the host (docs/operations/kill-switch.md)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.suspended import SuspensionKind
from controlplane.switching import acting
from core.errors import DomainError
from tools.services import suspend


class Command(BaseCommand):
    """`manage.py suspend server files --reason "It leaks." --as ada`."""

    help = "Suspend a server, a definition, an agent, a person, a team or everything, at every gateway."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is named, and the options."""
        parser.add_argument("kind", choices=[kind.value for kind in SuspensionKind])
        parser.add_argument(
            "name", nargs="?", default="", help="slug, tool:files/read, client id, user name; nothing for everything"
        )
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        parser.add_argument("--as", dest="username", default="", help="the person who does it; without: the host")

    def handle(self, *, kind: str, name: str, reason: str, username: str, **_options: Any) -> None:
        """Suspend it."""
        try:
            row = suspend(kind=kind, name=name, actor=acting(username), reason=reason)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"suspended: {kind} {name}".rstrip() + f" ({row.public_id})")
