"""`manage.py demo_data`: the demo organisations, `var/demo.json`, and how to log in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Create the demo organisations where they are missing and write their logins to var/demo.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="where to write the logins (default: var/demo.json)")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("demo_data has passwords that everybody knows: it is refused in production")
        from config.demo import DEMO_FILE, demo_ensure, sandbox_introduce
        from config.stack.banner import banner_text

        content = demo_ensure(options["file"] or DEMO_FILE)
        sandbox_introduce()
        if options["verbosity"] >= 1:
            self.stdout.write(banner_text(content))
