"""`manage.py organization_create <short name> --name ...`: a complete organisation; the owner's password is asked."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.errors import ServiceError
from tenants.models import Plan
from tenants.services.addresses import organization_url
from tenants.services.organizations import organization_create


class Command(BaseCommand):
    help = "Create an organisation: schema, host, subscription and owner."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="short name, part of the address")
        parser.add_argument("--name", required=True)
        parser.add_argument("--owner-email", help="becomes the owner; an account that exists keeps its password")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the owner's password from standard input"
        )
        parser.add_argument("--plan", help="code of the plan (default: unlimited)")
        parser.add_argument("--country", default="BJ", help="for phone numbers without a country code")
        parser.add_argument("--time-zone", default="UTC")
        parser.add_argument("--language", default="en", choices=[code for code, _name in settings.LANGUAGES])

    def handle(self, *args: Any, **options: Any) -> None:
        plan = None
        if options["plan"]:
            plan = Plan.objects.filter(code=options["plan"]).first()
            if plan is None:
                raise CommandError(f"There is no plan {options['plan']!r}.")
        try:
            organization = organization_create(
                name=options["name"],
                slug=options["slug"],
                owner_email=options["owner_email"],
                owner_password=self._password(options) if options["owner_email"] else None,
                plan=plan,
                default_country=options["country"],
                time_zone=options["time_zone"],
                language=options["language"],
            )
        except ServiceError as error:
            details = "".join(f"\n  {field}: {reason}" for field, reason in error.fields.items())
            raise CommandError(f"{error.message}{details}") from error
        self.stdout.write(f"{organization.name}: {organization_url(organization, '/admin/')}")

    @staticmethod
    def _password(options: dict[str, Any]) -> str | None:
        if options["password_stdin"]:
            return sys.stdin.readline().rstrip("\n")
        return getpass.getpass("Password of the owner: ") if sys.stdin.isatty() else None
