from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from messaging.services.channels import channel_by_uuid
from otp.services import otp_send
from tenants.services.keys import OrganizationSnapshot


def snapshot(organization: Any) -> OrganizationSnapshot:
    """What a request knows of its organisation."""
    names = ("uuid", "schema_name", "name", "slug", "default_country", "time_zone", "language")
    return OrganizationSnapshot(id=organization.pk, **{name: getattr(organization, name) for name in names})


@pytest.fixture
def send(in_schema: Any, channel: Any) -> Callable[..., Any]:
    """`send(phone="22996123456", **options of otp_send)` in the first organisation."""

    def run(phone: str = "22996123456", **options: Any) -> Any:
        found = channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid)
        defaults = {"organization": snapshot(in_schema), "channel": found, "phone": phone}
        return otp_send(**(defaults | options))

    return run
