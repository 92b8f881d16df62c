"""What operators and vendors change about channels, templates, webhooks, links and keys is in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from messaging.models import Channel, Customer
from messaging.services.channels import channel_pause, channel_resume, channel_update, channel_update_secrets
from messaging.services.setup_links import setup_link_create, setup_link_revoke
from messaging.services.templates import template_create, template_delete
from tenants.services.keys import SCOPES, api_key_create, api_key_revoke
from webhooks_app.catalogue import Surface
from webhooks_app.models import Delivery
from webhooks_app.services.deliveries import delivery_replay
from webhooks_app.services.endpoints import (
    endpoint_create,
    endpoint_delete,
    endpoint_rotate_secret,
    endpoint_toggle,
    endpoint_update,
)
from webhooks_app.services.replays import replay_cancel, replay_start
from webhooks_app.services.testing import endpoint_test

BODY = [{"type": "BODY", "text": "Hello {{1}}, your order is on its way."}]


def entries() -> list[tuple[str, Any, Any]]:
    """(action, old values, new values), the oldest first."""
    return list(AuditEntry.objects.order_by("id").values_list("action", "old_values", "new_values"))


def nowhere(secret: str) -> bool:
    """Whether no entry has `secret` in it."""
    return not any(secret in repr(row) for row in AuditEntry.objects.values())


def test_pausing_and_resuming_a_channel_with_the_reason(in_schema: Any, channel: Any) -> None:
    AuditEntry.objects.all().delete()
    assert channel_pause(channel_id=channel.pk, reason="Inventory", by="ada@demo.test")
    assert not channel_pause(channel_id=channel.pk, reason="Again")
    assert channel_resume(channel_id=channel.pk)
    assert not channel_resume(channel_id=channel.pk)
    assert entries() == [
        ("channel.paused", {"status": "connected"}, {"status": "paused", "reason": "Inventory"}),
        ("channel.resumed", {"status": "paused", "reason": "Inventory"}, {"status": "connected"}),
    ]


def test_settings_of_a_channel_with_old_and_new_values_and_its_secrets_never(in_schema: Any, channel: Any) -> None:
    AuditEntry.objects.all().delete()
    channel_update(channel_id=channel.pk, changed={"rate_per_second": 20, "name": channel.name})
    channel_update(channel_id=channel.pk, changed={"name": channel.name})
    channel_update_secrets(channel=channel, secrets={"access_token": "EAA-very-secret"})
    assert entries() == [
        ("channel.updated", {"rate_per_second": channel.rate_per_second}, {"rate_per_second": 20}),
        ("channel.secrets_replaced", None, {"names": ["access_token"]}),
    ]
    assert nowhere("EAA-very-secret")


def test_templates_that_are_created_and_deleted(in_schema: Any, channel: Channel, provider: Any) -> None:
    AuditEntry.objects.all().delete()
    template = template_create(
        channel=channel, name="order_sent", language="en_US", category="UTILITY", components=BODY
    )
    shown = {
        "name": "order_sent",
        "language": "en_US",
        "category": "UTILITY",
        "status": "PENDING",
        "components": template.components,
    }
    assert entries() == [("template.created", None, shown)]
    assert template_delete(channel=channel, name="order_sent") == ["en_US"]
    [_created, deleted] = entries()
    assert deleted == ("template.deleted", shown | {"status": deleted[1]["status"]}, None)


def test_webhooks_and_their_secrets_blanked(in_schema: Any) -> None:
    AuditEntry.objects.all().delete()
    endpoint, first = endpoint_create(surface=Surface.GATEWAY, url="http://127.0.0.1:9/a", events=["message.status"])
    endpoint_update(endpoint_id=endpoint.pk, url="http://127.0.0.1:9/b")
    second = endpoint_rotate_secret(endpoint_id=endpoint.pk)
    endpoint_toggle(endpoint_id=endpoint.pk, is_active=False)
    endpoint_delete(endpoint_id=endpoint.pk)
    created, updated, rotated, switched, deleted = entries()
    assert (created[0], created[1], created[2]["url"]) == ("webhook.created", None, "http://127.0.0.1:9/a")
    assert updated == ("webhook.updated", {"url": "http://127.0.0.1:9/a"}, {"url": "http://127.0.0.1:9/b"})
    assert (rotated[0], rotated[1], rotated[2]["secret"]) == (
        "webhook.secret_replaced",
        {"secret": "[redacted]"},
        "[redacted]",
    )
    assert rotated[2]["previous_until"] > timezone.now().isoformat()
    assert switched == ("webhook.updated", {"is_active": True}, {"is_active": False})
    assert (deleted[0], deleted[1]["url"]) == ("webhook.deleted", "http://127.0.0.1:9/b")
    assert nowhere(first) and nowhere(second)


def test_replays_of_webhooks(in_schema: Any) -> None:
    endpoint, _secret = endpoint_create(surface=Surface.GATEWAY, url="http://127.0.0.1:9/a", events=["message.status"])
    endpoint_test(endpoint_id=endpoint.pk)
    AuditEntry.objects.all().delete()
    delivery = Delivery.objects.get()
    delivery_replay(delivery_id=delivery.pk)
    since = timezone.now() - timedelta(hours=1)
    replay = replay_start(endpoint_id=endpoint.pk, since=since)
    replay_cancel(replay_id=replay.pk)
    one, started, cancelled = entries()
    assert one == (
        "webhook.delivery_replayed",
        None,
        {"delivery": str(delivery.uuid), "event": delivery.event_type},
    )
    assert (started[0], started[2]["since"], started[2]["failed_only"]) == (
        "webhook.replay_started",
        since.isoformat(),
        True,
    )
    assert cancelled == ("webhook.replay_cancelled", {"replayed": 0}, None)


@pytest.mark.parametrize("network", ["", "WHATSAPP"])
def test_setup_links_without_their_token(in_schema: Any, organization: Any, network: str) -> None:
    customer = Customer.objects.create(name="DentalCare")
    AuditEntry.objects.all().delete()
    made = setup_link_create(
        organization=organization,
        customer=customer,
        redirect_url="https://a.example/",
        network=network,
        is_sandbox=True,
    )
    setup_link_revoke(link=made.link)
    assert entries() == [
        (
            "setup_link.created",
            None,
            {
                "customer": "DentalCare",
                "network": network,
                "redirect_url": "https://a.example/",
                "hours": 24,
                "is_sandbox": True,
                "expires_at": made.link.expires_at.isoformat(),
            },
        ),
        ("setup_link.revoked", {"customer": "DentalCare", "state": "open"}, {"state": "revoked"}),
    ]
    assert nowhere(made.token) and nowhere(made.signing_secret)


def test_keys_without_their_secret(in_schema: Any, organization: Any) -> None:
    AuditEntry.objects.all().delete()
    scopes = sorted(SCOPES["gateway"])
    key, plain = api_key_create(organization=organization, name="CRM", surface="gateway", mode="live", scopes=scopes)
    assert api_key_revoke(api_key=key)
    assert not api_key_revoke(api_key=key)
    assert entries() == [
        (
            "api_key.created",
            None,
            {"name": "CRM", "surface": "gateway", "mode": "live", "key_id": key.key_id, "scopes": scopes},
        ),
        ("api_key.revoked", {"name": "CRM", "key_id": key.key_id}, None),
    ]
    assert nowhere(plain.rpartition("_")[2])
