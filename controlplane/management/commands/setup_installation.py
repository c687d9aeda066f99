"""Make an installation usable: built-in roles, and a first administrator who can sign in and has an API token."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.services import create_first_administrator
from controlplane import env
from core.errors import DomainError


class Command(BaseCommand):
    """`manage.py setup_installation --username admin`, with the password in ADMIN_PASSWORD or its `_FILE`."""

    help = "Create built-in roles and the first administrator, with the password in ADMIN_PASSWORD or its _FILE."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--username", default="admin")
        # Not by default: what a container prints ends up in logs.
        parser.add_argument("--print-token", action="store_true", help="print a new API token as JSON, the last line")

    def handle(self, *, username: str, print_token: bool, **_options: Any) -> None:
        """Run; may be run again: the person keeps their password, the earlier token of this command ends."""
        password = env.text("ADMIN_PASSWORD", "password of the first administrator", secret=True, declare=False)
        try:
            person, token = create_first_administrator(username=username, password=password)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"the administrator '{person.username}' can sign in")
        if print_token:
            self.stdout.write(json.dumps({"username": person.username, "api_token": token}))
