#!/usr/bin/env python3
"""Django's command line, and `up`, which runs before there is a database or a secret for Django to load with."""

import os
import sys

from controlplane.env import SettingError


def main() -> int:
    """Run one command; a bad setting is a sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    try:
        if sys.argv[1:2] == ["up"]:
            from controlplane.up import main as up

            return up(sys.argv[2:])
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except SettingError as error:
        print(f"Bad setting: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
