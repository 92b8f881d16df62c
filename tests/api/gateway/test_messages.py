"""Messages: accepted once, refused with a reason before they are queued, listed by every filter, never another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from messaging.models import Channel, Customer, Message, MessageTemplate, TemplateSync
from messaging.services import history, template_guard
from tests.api.gateway.caller import Vendor, refusal, wrong_fields


@pytest.fixture(autouse=True)
def fresh_guard() -> None:
    template_guard.cache_clear()


def test_a_text_is_accepted_and_queued(vendor: Vendor, text: dict[str, Any]) -> None:
    response = vendor.post("/messages", text)
    assert response.status_code == 202
    body = response.json()
    assert (body["success"], body["message"]) == (True, "Message accepted and enqueued for delivery.")
    message = Message.objects.get(uuid=body["messageId"])
    assert (message.status, message.address, message.content) == (
        "queued",
        "5215512345678",
        {"type": "text", "text": {"body": "Hello"}},
    )


def test_the_vendors_own_id_of_a_channel_works(vendor: Vendor, text: dict[str, Any], channel: Any) -> None:
    Channel.objects.filter(pk=channel.pk).update(reference="iq_chan_wa_soporte")
    sent = vendor.post("/messages", text | {"channelId": "iq_chan_wa_soporte"})
    assert sent.status_code == 202
    (row,) = vendor.get("/messages", channelId="iq_chan_wa_soporte").json()["messages"]
    assert (row["channelId"], row["channelType"], row["direction"], row["status"], row["text"]) == (
        "iq_chan_wa_soporte",
        "WHATSAPP",
        "OUTBOUND",
        "queued",
        "Hello",
    )


REPLY = {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}
CONTENTS = {
    "button": {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": "Friday?"}, "action": {"buttons": [REPLY]}},
    },
    "list": {
        "type": "interactive",
        "interactive": {
            "type": "list",
            "body": {"text": "Choose"},
            "action": {"button": "Menu", "sections": [{"title": "A", "rows": [{"id": "1", "title": "One"}]}]},
        },
    },
    "flow": {
        "type": "interactive",
        "interactive": {
            "type": "flow",
            "body": {"text": "Book"},
            "action": {
                "name": "flow",
                "parameters": {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Book"},
            },
        },
    },
    "image": {"type": "image", "image": {"link": "https://example.com/a.jpg", "caption": "Receipt"}},
    "template": {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_every_documented_kind_of_message_is_accepted(vendor: Vendor, text: dict[str, Any], name: str) -> None:
    body = {key: text[key] for key in ("channelId", "channelType", "to")} | CONTENTS[name]
    assert vendor.post("/messages", body).status_code == 202
    assert Message.objects.get().type == CONTENTS[name]["type"]


@pytest.mark.parametrize(
    ("changed", "status", "code", "fields"),
    [
        ({"text": None}, 422, "validation_failed", {"text"}),
        ({"text": ""}, 422, "validation_failed", {"text"}),
        ({"type": "template"}, 422, "validation_failed", {"template"}),
        ({"type": "fax"}, 422, "validation_failed", {"type"}),
        ({"channelType": "TELEGRAM"}, 422, "validation_failed", {"channelType"}),
        ({"channelType": "INSTAGRAM"}, 422, "channel_type_mismatch", {"channelType"}),
        ({"channelId": "nothing"}, 404, "channel_not_found", {"channelId"}),
        ({"to": "12"}, 422, "invalid_phone", {"to"}),
        (
            {
                "type": "interactive",
                "interactive": {"type": "button", "body": {"text": "x"}, "action": {"buttons": []}},
            },
            422,
            "invalid_content",
            {"interactive.action.buttons"},
        ),
        ({"type": "image", "image": {}}, 422, "invalid_content", {"image"}),
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_is_queued(
    vendor: Vendor, text: dict[str, Any], changed: Any, status: int, code: str, fields: set[str]
) -> None:
    body = {name: value for name, value in (text | changed).items() if value is not None}
    response = vendor.post("/messages", body)
    assert refusal(response) == (status, code)
    assert wrong_fields(response) == fields
    assert not Message.objects.exists()


def test_a_body_nested_beyond_measure_is_refused(vendor: Vendor, text: dict[str, Any]) -> None:
    deep: Any = {}
    for _level in range(200):
        deep = {"a": deep}
    response = vendor.post("/messages", text | {"type": "interactive", "interactive": deep})
    assert wrong_fields(response) == {"interactive"}


def test_templates_are_checked_before_the_message_is_queued(vendor: Vendor, text: Any, channel: Any) -> None:
    TemplateSync.objects.create(kind=channel.kind, account_id=channel.account_id, synced_at=timezone.now())
    MessageTemplate.objects.create(
        kind=channel.kind,
        account_id=channel.account_id,
        name="order",
        language="es",
        category="UTILITY",
        status="PENDING",
        components=[{"type": "BODY", "text": "Hola {{1}}, tu pedido."}],
    )

    def send(name: str, *values: str) -> Any:
        parts = [{"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}]
        template = {"name": name, "language": {"code": "es"}, "components": parts}
        return vendor.post("/messages", text | {"type": "template", "template": template})

    assert refusal(send("nothing", "x")) == (422, "template_unknown")
    assert refusal(send("order", "x")) == (422, "template_not_approved")
    MessageTemplate.objects.update(status="APPROVED")
    template_guard.cache_clear()
    assert refusal(send("order", "x", "y")) == (422, "template_values_wrong")
    assert not Message.objects.exists()
    assert send("order", "Ada").status_code == 202


def test_a_closed_window_is_refused(vendor: Vendor, text: dict[str, Any], channel: Any) -> None:
    Channel.objects.filter(pk=channel.pk).update(enforce_window=True)
    from messaging.services import channels

    channels._snapshots.clear()
    assert refusal(vendor.post("/messages", text)) == (422, "window_closed")


def test_a_repeated_key_sends_once_and_another_body_is_refused(vendor: Vendor, text: dict[str, Any]) -> None:
    first = vendor.post("/messages", text, {"Idempotency-Key": "order-1"})
    again = vendor.post("/messages", text, {"Idempotency-Key": "order-1"})
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    other = vendor.post("/messages", text | {"text": "Else"}, {"Idempotency-Key": "order-1"})
    assert refusal(other) == (422, "idempotency_key_reused")
    assert Message.objects.count() == 1


@pytest.fixture
def conversation(channel: Any, in_schema: Any, make_channel: Callable[..., Any]) -> dict[str, Any]:
    """Two channels of two customers with messages in both directions."""
    second = make_channel(in_schema, name="Second", address="22997000001")
    customers = [Customer.objects.create(name=name) for name in ("One", "Two")]
    for row, customer in zip((channel, second), customers, strict=True):
        Channel.objects.filter(pk=row.pk).update(customer=customer)
        for index in range(6):
            Message.objects.create(
                channel=row,
                direction="in" if index % 2 else "out",
                status="received" if index % 2 else ("failed" if index == 4 else "read"),
                address="22961000001",
                type="text",
                content={"type": "text", "text": {"body": f"{row.name} {index}"}},
                origin="customer" if index % 2 else "api",
            )
    return {"first": channel, "second": second, "customers": customers}


def texts(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["text"] for row in response.json()["messages"]]


def test_lists_follow_every_filter(vendor: Vendor, conversation: dict[str, Any]) -> None:
    first, customer = conversation["first"], conversation["customers"][1]
    assert len(texts(vendor.get("/messages"))) == 12
    assert texts(vendor.get("/messages", channelId=str(first.uuid)))[0] == "Support 5"
    assert {text.split()[0] for text in texts(vendor.get("/messages", customerId=str(customer.uuid)))} == {"Second"}
    assert texts(vendor.get("/messages", channelId=str(first.uuid), status="failed")) == ["Support 4"]
    inbound = texts(vendor.get("/messages", direction="INBOUND", customerId=str(customer.uuid)))
    assert inbound == ["Second 5", "Second 3", "Second 1"]
    both = vendor.get("/messages", channelId=str(first.uuid), customerId=str(customer.uuid))
    assert texts(both) == []
    assert wrong_fields(vendor.get("/messages", status="odd")) == {"status"}
    assert wrong_fields(vendor.get("/messages", direction="SIDEWAYS")) == {"direction"}


@pytest.mark.parametrize("query", [{}, {"direction": "OUTBOUND"}])
def test_paging_shows_every_message_once(
    vendor: Vendor, conversation: dict[str, Any], query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # With filters the pages look at a few rows at a time: some come out short or empty.
    monkeypatch.setattr(history, "WINDOW", 4)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _page in range(20):
        answer = vendor.get("/messages", limit="3", **query, **cursor).json()
        assert len(answer["messages"]) <= 3
        seen += [row["id"] for row in answer["messages"]]
        if answer["nextCursor"] is None:
            break
        cursor = {"cursor": answer["nextCursor"]}
    expected = Message.objects.order_by("-id")
    if query:
        expected = expected.filter(direction="out")
    assert seen == [str(uuid) for uuid in expected.values_list("uuid", flat=True)]


def test_one_time_passwords_are_never_shown(vendor: Vendor, channel: Any) -> None:
    Message.objects.create(
        channel=channel,
        direction="out",
        status="sent",
        address="22961000001",
        type="text",
        content={"type": "text", "text": {"body": "Your code: 845193"}},
        origin="otp",
        is_sensitive=True,
    )
    assert "845193" not in vendor.get("/messages").content.decode()


def test_another_accounts_channel_and_messages_do_not_exist(
    vendor: Vendor, text: dict[str, Any], make_vendor: Callable[..., Vendor], other_organization: Any, channel: Any
) -> None:
    vendor.post("/messages", text)
    other = make_vendor(other_organization)
    assert texts(other.get("/messages")) == []
    assert refusal(other.post("/messages", text)) == (404, "channel_not_found")
    assert refusal(other.get("/messages", channelId=str(channel.uuid))) == (404, "channel_not_found")


def test_a_test_key_reaches_sandbox_channels_only(
    make_vendor: Callable[..., Vendor], in_schema: Any, make_channel: Any, text: dict[str, Any], channel: Any
) -> None:
    live = make_channel(in_schema, name="Live", is_sandbox=False, address="22997000003")
    tester = make_vendor(in_schema, mode="test")
    assert refusal(tester.post("/messages", text | {"channelId": str(live.uuid)})) == (404, "channel_not_found")
    assert tester.post("/messages", text).status_code == 202
    Message.objects.create(
        channel=live, direction="out", status="sent", address="1", type="text", content={"type": "text"}, origin="api"
    )
    assert texts(tester.get("/messages")) == ["Hello"]


def test_templates_are_created_listed_read_and_deleted(vendor: Vendor, provider: Any, channel: Any) -> None:
    body = {
        "channelId": str(channel.uuid),
        "name": "factura_disponible_cta",
        "language": "es",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hola {{1}}, tu factura de {{2}} ya está lista."}],
    }
    created = vendor.post("/templates", body)
    assert created.status_code == 201, created.content
    assert created.json()["template"]["status"] == "PENDING"
    bad = vendor.post("/templates", body | {"name": "Bad Name", "components": [{"type": "BODY", "text": "{{1}}"}]})
    assert refusal(bad) == (422, "template_invalid")
    assert wrong_fields(bad) == {"name", "components.0.text"}
    assert refusal(vendor.post("/templates", body)) == (409, "template_exists")
    listed = vendor.get("/templates", channelId=str(channel.uuid)).json()
    assert [row["name"] for row in listed["templates"]] == ["factura_disponible_cta"]
    assert listed["synced"] is None
    import time

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        synced = vendor.get("/templates", channelId=str(channel.uuid), sync="true").json()
        if synced["templates"][0]["status"] == "APPROVED":
            break
        time.sleep(0.05)
    assert synced["templates"][0]["status"] == "APPROVED"
    assert wrong_fields(vendor.get("/templates", sync="true")) == {"channelId"}
    deleted = vendor.delete("/templates/factura_disponible_cta", channelId=str(channel.uuid))
    assert (deleted.status_code, deleted.json()["languages"]) == (200, ["es"])
    assert "all its languages" in deleted.json()["message"]
    gone = vendor.delete("/templates/factura_disponible_cta", channelId=str(channel.uuid))
    assert refusal(gone) == (404, "template_not_found")
    assert wrong_fields(vendor.delete("/templates/x")) == {"channelId"}


def test_every_problem_of_a_template_is_told_at_once(vendor: Vendor, provider: Any, channel: Any) -> None:
    body = {
        "channelId": str(channel.uuid),
        "name": "Bad Name",
        "language": "klingon",
        "category": "ODD",
        "components": [{"type": "BODY", "text": "{{1}} {{3}}"}],
        "parameterFormat": "ODD",
    }
    response = vendor.post("/templates", body)
    assert response.status_code == 422
    assert wrong_fields(response) >= {"name", "language", "category", "parameterFormat", "components.0.text"}


def test_an_unknown_file_is_named_by_its_field(vendor: Vendor, text: Any) -> None:
    image = {"type": "image", "image": {"file": "nothing"}, "text": None}
    del (body := text | image)["text"]
    response = vendor.post("/messages", body)
    assert (refusal(response), wrong_fields(response)) == ((422, "file_not_found"), {"image.file"})


def test_another_accounts_templates_do_not_exist(
    vendor: Vendor, make_vendor: Callable[..., Vendor], other_organization: Any, channel: Any
) -> None:
    MessageTemplate.objects.create(
        kind=channel.kind,
        account_id=channel.account_id,
        name="mine",
        language="en",
        category="UTILITY",
        status="APPROVED",
    )
    other = make_vendor(other_organization)
    assert other.get("/templates").json()["templates"] == []
    for answer in (
        other.get("/templates", channelId=str(channel.uuid)),
        other.delete("/templates/mine", channelId=str(channel.uuid)),
    ):
        assert refusal(answer) == (404, "channel_not_found")
    vendor.get("/templates")
    assert MessageTemplate.objects.get().status == "APPROVED"
