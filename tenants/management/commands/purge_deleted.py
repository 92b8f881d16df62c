"""`manage.py purge_deleted`: purge now what the agenda would purge by itself, and say what."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.errors import Conflict
from tenants.services.organizations import organization_purge, purge_due


class Command(BaseCommand):
    help = "Drop the data of deleted organisations whose grace period is over. Cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be purged")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for organization in purge_due():
            if not options["dry_run"]:
                try:
                    organization_purge(organization=organization)
                except Conflict as error:
                    # Restored or purged by the agenda between our look and our turn.
                    self.stderr.write(f"{organization.slug}: {error.message}")
                    failed += 1
                    continue
            self.stdout.write(f"{organization.slug} {'is due' if options['dry_run'] else 'purged'}")
        if failed:
            raise CommandError(f"{failed} organisation(s) were not purged")
