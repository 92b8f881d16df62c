"""A first channel to try things out with: its messages reach the sandbox's simulated phones."""

from __future__ import annotations

from typing import Final

from django_tenants.utils import tenant_context

from messaging.models import Channel
from messaging.services.channels import channel_create
from tenants.models import Organization

_KIND: Final = "sms_http"
_RATE: Final = 100


def sandbox_sms_channel(*, organization: Organization) -> Channel:
    """An SMS channel of `organization` to the sandbox's gateway. Not inside a transaction: it enters the schema."""
    with tenant_context(organization):
        return channel_create(
            organization=organization,
            name="Sandbox SMS",
            kind=_KIND,
            external_id=f"sandbox-{organization.uuid}",
            config={"sender": "SANDBOX"},
            is_sandbox=True,
            rate_per_second=_RATE,
        )
