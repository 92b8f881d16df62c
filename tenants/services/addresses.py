"""Hosts and URLs of organisations."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from tenants.models import Organization


def organization_url(organization: Organization, path: str = "/") -> str:
    """Absolute URL on the organisation's host, with the scheme and port of PUBLIC_BASE_URL."""
    parts = urlsplit(settings.PUBLIC_BASE_URL)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{organization.host}{port}{path}"


def public_hosts() -> list[str]:
    """Hosts of the super-admin site: BASE_DOMAIN, the host of PUBLIC_BASE_URL, and this machine's own names."""
    named = [settings.BASE_DOMAIN, urlsplit(settings.PUBLIC_BASE_URL).hostname or settings.BASE_DOMAIN]
    return list(dict.fromkeys([*named, "localhost", "127.0.0.1"]))
