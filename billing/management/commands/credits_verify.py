"""`manage.py credits_verify [slug ...]`: whether the ledgers agree with balances and messages; the first difference."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django_tenants.utils import tenant_context

from billing.services.proof import credits_verify
from tenants.services.organizations import customer_organizations


class Command(BaseCommand):
    help = "Check the credits of every organisation, or of those named, and name the first difference of each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="slug", help="organisations (default: all)")

    def handle(self, *args: Any, **options: Any) -> None:
        organizations = customer_organizations().order_by("slug")
        if options["slugs"]:
            organizations = organizations.filter(slug__in=options["slugs"])
            unknown = sorted(set(options["slugs"]) - set(organizations.values_list("slug", flat=True)))
            if unknown:
                raise CommandError(f"no such organisation: {', '.join(unknown)}")
        different = 0
        for organization in organizations.iterator():
            with tenant_context(organization):
                found = credits_verify()
            if found is not None:
                different += 1
                self.stderr.write(f"{organization.slug}: account {found.account_id}: {found.text}")
            else:
                self.stdout.write(f"{organization.slug}: the credits agree")
        if different:
            raise CommandError(f"the credits of {different} organisation(s) do not agree")
