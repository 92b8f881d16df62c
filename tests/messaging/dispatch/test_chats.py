"""Messages to Messenger and Instagram through the real engine and the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django_tenants.utils import schema_context

Make = Callable[..., Any]
USER = "24581177336690015"
PAGE, ACCOUNT = "304455667788990", "17841455502233441"


def rows(organization: Any) -> list[Any]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return list(Message.objects.order_by("id"))


@pytest.mark.parametrize(
    ("kind", "fields", "prefix"),
    [
        ("messenger", {"external_id": PAGE, "account_id": ""}, "psid:"),
        ("instagram", {"external_id": ACCOUNT, "account_id": PAGE}, "igsid:"),
        ("instagram", {"external_id": ACCOUNT, "account_id": "", "config": {"login": "instagram"}}, "igsid:"),
    ],
)
def test_a_message_reaches_the_person_by_the_page_scoped_id(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make,
    kind: str, fields: dict[str, Any], prefix: str,
) -> None:  # fmt: skip
    organization, _ = committed
    sandbox.control("POST", "pages", {"page_id": PAGE, "instagram_id": ACCOUNT})
    channel = make_channel(organization, kind=kind, address="", **fields)
    (uuid,) = queue(organization, channel, [USER], "Hello", save_contact=True)
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent", 15)
    (shown,) = sandbox.inbox(prefix + USER)
    assert (shown["body"], shown["id"]) == ("Hello", rows(organization)[0].provider_id)
    assert rows(organization)[0].contact_id is not None
    if kind == "messenger":
        assert shown["biz_opaque_callback_data"] == str(uuid)


def test_a_closed_window_fails_at_once_with_a_reason_and_an_expired_token_pauses(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make
) -> None:
    organization, _ = committed
    channel = make_channel(organization, kind="messenger", external_id=PAGE, account_id="", address="")
    sandbox.control("PUT", "switches", {"window": True})
    queue(organization, channel, [USER])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "failed", 15)
    assert rows(organization)[0].error_code == "10/2018278"
    sandbox.control("PUT", "switches", {"window": False})
    sandbox.control("POST", "tokens", {"token": "sandbox-token-test", "state": "expired"})
    queue(organization, channel, [USER])
    engine.pump(organization.schema_name, channel.pk)

    def paused() -> bool:
        from messaging.models import Channel

        with schema_context(organization.schema_name):
            return Channel.objects.get(pk=channel.pk).status == "paused"

    wait_until(paused, 15)
    assert rows(organization)[1].status == "queued"


def test_an_error_that_was_sent_all_the_same_counts_as_sent(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make
) -> None:
    organization, _ = committed
    channel = make_channel(organization, kind="messenger", external_id=PAGE, account_id="", address="")
    sandbox.control("PUT", "switches", {"sync_error": {"code": 1, "subcode": 1357046, "count": 1}})
    queue(organization, channel, [USER])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent", 15)
    assert rows(organization)[0].provider_id is None


def test_an_echo_that_was_stored_before_the_answer_gives_way_to_our_message(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make
) -> None:
    """A reader of the echo that does not recognise it must not stop the lane when the answer comes."""
    from messaging.models import Message

    organization, _ = committed
    channel = make_channel(organization, kind="messenger", external_id=PAGE, account_id="", address="")
    slow = USER[:-2] + "97"
    queue(organization, channel, [slow])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: bool(sandbox.inbox(f"psid:{slow}")), 15)
    mid = sandbox.inbox(f"psid:{slow}")[0]["id"]
    with schema_context(organization.schema_name):
        Message.objects.create(
            channel=channel, direction="out", status="sent", origin="app", address=slow, type="text",
            content={"type": "text", "text": {"body": "not recognised"}}, provider_id=mid,
        )  # fmt: skip
    wait_until(lambda: [row.status for row in rows(organization)] == ["sent"], 15)
    assert [(row.provider_id, row.origin) for row in rows(organization)] == [(mid, "api")]
