"""Make demo data for `./dev up`; see `controlplane.demo.data`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controlplane import env
from controlplane.demo.data import Demo, DemoError, create_demo_data
from core.errors import DomainError


class Command(BaseCommand):
    """`manage.py demo_data --administrator admin --agent-file PATH`; the demo servers must be running."""

    help = "Make demo data with the running demo servers; run again, it adds only what is missing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--administrator", default="admin", help="the person who registers and approves")
        parser.add_argument("--notes-url", default="http://127.0.0.1:8002/mcp", help="MCP endpoint of `notes`")
        parser.add_argument("--weather-url", default="http://127.0.0.1:8003/mcp", help="MCP endpoint of `weather`")
        parser.add_argument("--agent-file", type=Path, required=True, help="keeps the demo agent's id and secret")

    def handle(
        self, *, administrator: str, agent_file: Path, notes_url: str, weather_url: str, **_options: Any
    ) -> None:
        """Make it."""
        demo = Demo(
            notes_url=notes_url,
            weather_url=weather_url,
            reviewer_password=env.text(
                "REVIEWER_PASSWORD", "password of the second person", secret=True, declare=False
            ),
            agent_file=agent_file,
        )
        try:
            made = create_demo_data(demo=demo, administrator=administrator)
        except (DemoError, DomainError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(made) or "everything is there already")
