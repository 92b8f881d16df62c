"""`manage.py retention_report --organization SLUG | --platform`: what the next run would remove. Changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django_tenants.utils import get_public_schema_name, schema_context

from tenants.services.organizations import customer_organizations
from tenants.services.retention import Outlook, retention_next, retention_outlook


class Command(BaseCommand):
    help = "Show how long data is kept and what the next run would remove. Nothing is changed."

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--organization", metavar="SLUG", help="short name of the organisation")
        who.add_argument("--platform", action="store_true", help="the platform's own tables")
        parser.add_argument(
            "--most", type=int, default=1_000_000, help="rows of each kind to look at (default: 1,000,000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["most"] < 1:
            raise CommandError("--most: expected a number from 1 on")
        organization = None
        if options["organization"]:
            organization = customer_organizations().filter(slug=options["organization"]).first()
            if organization is None:
                raise CommandError(f"no organisation has the short name {options['organization']!r}")
        schema = organization.schema_name if organization else get_public_schema_name()
        with schema_context(schema):
            rows = retention_outlook(organization=organization, most=options["most"])
            due_at = retention_next(schema=schema)
        self.stdout.write(f"{'data':<18} {'days':>8} {'older than':<18} {'would go':>14} {'oldest':<18} removed in all")
        for row in rows:
            self.stdout.write(_line(row, options["most"]))
        self.stdout.write(f"next run: {f'{due_at:%Y-%m-%d %H:%M %Z}' if due_at else 'none planned'}")


def _line(row: Outlook, most: int) -> str:
    days = "for ever" if row.period.days is None else str(row.period.days)
    before = f"{row.before:%Y-%m-%d %H:%M}" if row.before else "-"
    oldest = f"{row.oldest:%Y-%m-%d %H:%M}" if row.oldest else "-"
    ripe = f">= {row.ripe:,}" if row.ripe >= most else f"{row.ripe:,}"
    total = row.state.removed_total if row.state else 0
    return f"{row.period.rule.kind:<18} {days:>8} {before:<18} {ripe:>14} {oldest:<18} {total:,}"
