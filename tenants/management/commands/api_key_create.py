"""`manage.py api_key_create <organisation's short name> --name ... --scopes ...`: prints the key once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from tenants.errors import InvalidInput
from tenants.models import ApiKey, Organization
from tenants.services.keys import SCOPES, api_key_create


class Command(BaseCommand):
    help = "Create an API key for an organisation. The key is printed once and cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the organisation's short name")
        parser.add_argument("--name", required=True, help="where the key is used")
        parser.add_argument("--surface", default=ApiKey.Surface.TRANSACTIONAL, choices=ApiKey.Surface.values)
        parser.add_argument("--mode", default=ApiKey.Mode.TEST, choices=ApiKey.Mode.values)
        parser.add_argument("--scopes", nargs="+", metavar="SCOPE", help="default: every scope of the surface")
        parser.add_argument("--rate", type=int, default=600, help="requests per minute")
        parser.add_argument("--expires-at", help="ISO 8601 with a zone, for instance 2027-01-31T00:00:00Z")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["slug"], is_template=False).first()
        if organization is None:
            raise CommandError(f"There is no organisation {options['slug']!r}.")
        try:
            api_key, plain = api_key_create(
                organization=organization,
                name=options["name"],
                surface=options["surface"],
                mode=options["mode"],
                scopes=options["scopes"] or SCOPES[options["surface"]],
                rate_per_minute=options["rate"],
                expires_at=self._moment(options["expires_at"]),
            )
        except InvalidInput as error:
            raise CommandError(error.message) from error
        self.stdout.write(plain)
        self.stderr.write(
            f"{api_key.name}: {api_key.mode} key with {', '.join(api_key.scopes)}. It is not shown again."
        )

    def _moment(self, text: str | None) -> Any:
        if text is None:
            return None
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise CommandError(f"--expires-at {text!r}: a date and time with a zone is needed.")
        return moment
