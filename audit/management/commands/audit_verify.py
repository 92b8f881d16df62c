"""`manage.py audit_verify [slug ...]`: whether the audit chains hold, and the first entry that does not."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django_tenants.utils import tenant_context

from audit.models import AuditChain
from audit.services.sealing import BATCH, chain_verify, entries_seal
from tenants.services.organizations import customer_organizations


class Command(BaseCommand):
    help = "Check the hash chain of the audit log of every organisation, or of those named, and name the first break."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="slug", help="organisations (default: all)")

    def handle(self, *args: Any, **options: Any) -> None:
        organizations = customer_organizations().order_by("slug")
        if options["slugs"]:
            organizations = organizations.filter(slug__in=options["slugs"])
            unknown = sorted(set(options["slugs"]) - set(organizations.values_list("slug", flat=True)))
            if unknown:
                raise CommandError(f"no such organisation: {', '.join(unknown)}")
        broken = 0
        for organization in organizations.iterator():
            with tenant_context(organization):
                broken += not self._check(organization.slug)
        if broken:
            raise CommandError(f"{broken} audit log(s) do not hold")

    def _check(self, slug: str) -> bool:
        while entries_seal() == BATCH:
            pass
        found = chain_verify()
        if found is None:
            chain = AuditChain.objects.filter(pk=1).first()
            count = chain.last_position - chain.start_position if chain else 0
            self.stdout.write(f"{slug}: {count} entries, the chain holds")
            return True
        entry = f"entry {found.entry_id}, " if found.entry_id else ""
        self.stderr.write(f"{slug}: broken at place {found.position} ({entry}{found.reason})")
        return False
