"""What every driver owes the core."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messaging.drivers.base import (
    Ambiguous,
    Capability,
    ChannelInfo,
    ContentError,
    Driver,
    HttpResponse,
    Outgoing,
    SendError,
    Sent,
    WebhookPart,
)
from messaging.drivers.registry import drivers
from messaging.drivers.uploads import MediaDriver

ALL = sorted(drivers().values(), key=lambda driver: driver.kind)
CHANNEL = ChannelInfo("512094478812345", "980", "22997000000", "https://provider.test", {}, {"access_token": "TOKEN"})
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "body",
                    "image",
                    "link",
                    "id",
                    "interactive",
                    "action",
                    "buttons",
                    "sections",
                    "template",
                ]
                + [
                    "components",
                    "parameters",
                    "name",
                    "language",
                    "contacts",
                    "reaction",
                    "location",
                    "header",
                    "index",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
fuzz = hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
pytestmark = pytest.mark.parametrize("driver", ALL, ids=lambda driver: driver.kind)


def test_its_facts_are_complete(driver: Driver) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,31}", driver.kind)
    assert driver.label
    assert driver.capabilities <= frozenset(Capability)
    assert driver.default_rate > 0
    assert driver.address_kinds
    assert {kind.name for kind in driver.address_kinds} <= {"phone", "bsuid", "psid", "igsid"}
    assert all(re.fullmatch(r"[a-z_]+", setting.name) for setting in driver.channel_settings)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in driver.secret_fields)
    assert isinstance(driver, MediaDriver) == (Capability.MEDIA_UPLOAD in driver.capabilities)
    assert driver.route_kind != driver.account_route_kind


def test_a_text_becomes_a_request_to_the_channels_provider_with_its_secret_only_in_the_headers(driver: Driver) -> None:
    content = {"type": "text", "text": {"body": "Hello"}}
    driver.validate(content)
    address = "22997000001"
    outgoing = Outgoing("0198c0de-0000-7000-8000-000000000001", address, content, driver.address_kind_of(address))
    request = driver.build_send(CHANNEL, outgoing)
    assert request.url.startswith("https://provider.test/")
    assert "TOKEN" not in request.url
    assert b"TOKEN" not in request.body
    assert any("TOKEN" in value for value in request.headers.values())
    assert content == {"type": "text", "text": {"body": "Hello"}}


def payloads(driver: Driver) -> list[dict[str, Any]]:
    folder = Path(inspect.getfile(type(driver))).parent / "payloads"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def test_its_documented_payloads_are_what_it_sends(driver: Driver) -> None:
    """Each file: content, address, maybe reply_to, and the body that the provider gets."""
    cases = payloads(driver)
    assert cases
    for case in cases:
        driver.validate(case["content"])
        address = case["address"]
        outgoing = Outgoing(
            "0198c0de-0000-7000-8000-000000000001",
            address,
            case["content"],
            driver.address_kind_of(address),
            case.get("reply_to", ""),
        )
        sent = driver.build_send(CHANNEL, outgoing).body
        assert (sent.decode() if isinstance(case["body"], str) else json.loads(sent)) == case["body"]


def test_marking_as_read_goes_to_the_same_provider(driver: Driver) -> None:
    requests = driver.build_mark_read(CHANNEL, provider_id="m_1", address="22997000001", typing=True)
    assert bool(requests) == (Capability.MARK_READ in driver.capabilities)
    assert all(request.url.startswith("https://provider.test/") for request in requests)
    assert all("TOKEN" not in request.url and b"TOKEN" not in request.body for request in requests)


@pytest.mark.parametrize("name", ["whatsapp_business_account", "page", "instagram", "sms"])
def test_a_body_is_read_by_one_driver_only(driver: Driver, name: str) -> None:
    body = {"object": name, "entry": [{"id": "1", "changes": [{}], "messaging": [{}]}], "channel": "1"}
    readers = [other.kind for other in ALL if list(other.split(body))]
    assert len(readers) == 1
    assert bool(list(driver.split(body))) == (driver.kind in readers)


@fuzz
@given(content=st.dictionaries(st.sampled_from(["type", "text", "image", "interactive", "template"]), json_values))
def test_any_content_is_either_fit_or_refused_with_named_fields(driver: Driver, content: dict[str, Any]) -> None:
    try:
        driver.validate(content)
    except ContentError as error:
        assert error.fields
        assert all(name and reason for name, reason in error.fields.items())


@fuzz
@given(
    status=st.sampled_from([200, 201, 301, 400, 401, 403, 404, 408, 429, 500, 502, 503]), body=st.binary(max_size=60)
)
def test_any_answer_is_sent_refused_or_ambiguous(driver: Driver, status: int, body: bytes) -> None:
    try:
        sent = driver.read_send(HttpResponse(status, body))
    except SendError as error:
        assert error.code
        assert error.reason
    except Ambiguous:
        assert status < 400 or status >= 500 or status in {408, 425}
    else:
        assert isinstance(sent, Sent)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_without_a_readable_answer_is_never_called_a_failure(driver: Driver, status: int) -> None:
    with pytest.raises(Ambiguous):
        driver.read_send(HttpResponse(status, b"<html>Bad gateway</html>"))


@fuzz
@given(payload=st.dictionaries(st.sampled_from(["object", "entry", "id"]), json_values))
def test_odd_webhooks_never_raise(driver: Driver, payload: dict[str, Any]) -> None:
    for part in driver.split(payload):
        list(driver.parse(part))


# Shapes that are nearly right reach further into a parser than noise does.
SHAPES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "messages",
        "messages",
        {"id": "1", "timestamp": "1", "from": "1555555", "type": "text", "text": {}, "context": {}},
    ),
    (
        "messages",
        "messages",
        {"id": "1", "timestamp": "1", "from": "1555555", "type": "system", "system": {"type": "x"}},
    ),
    ("messages", "statuses", {"id": "1", "timestamp": "1", "status": "failed", "errors": [{}]}),
    ("messages", "errors", {"code": 1, "title": "x", "error_data": {}}),
    ("messages", "contacts", {"wa_id": "1555555", "profile": {"name": "x"}}),
    ("user_preferences", "user_preferences", {"wa_id": "1", "category": "marketing_messages", "value": "stop"}),
    ("user_id_update", "user_id_update", {"user_id": {"previous": "1", "current": "2"}}),
    ("account_update", "restriction_info", {"restriction_type": "x", "expiration": 1}),
    (
        "smb_message_echoes",
        "message_echoes",
        {"id": "1", "timestamp": "1", "to": "1555555", "type": "text", "text": {}},
    ),
]
# Events of Messenger and Instagram: the odd value is one field of the event's inner object.
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("message", {"mid": "m_1", "text": "x", "attachments": [], "quick_reply": {}, "reply_to": {}, "is_echo": False}),
    ("message", {"mid": "m_1", "attachments": [{"type": "image", "payload": {"url": "https://x.test/"}}]}),
    ("message", {"mid": "m_1", "is_echo": True, "app_id": 1, "metadata": "x", "text": "x"}),
    ("message", {"mid": "m_1", "is_deleted": True}),
    ("message_edit", {"mid": "m_1", "text": "x", "num_edit": 1}),
    ("postback", {"mid": "m_1", "title": "x", "payload": "x", "referral": {}}),
    ("reaction", {"mid": "m_1", "action": "react", "emoji": "x", "reaction": "x"}),
    ("read", {"mid": "m_1", "watermark": 1}),
    ("delivery", {"mids": ["m_1"], "watermark": 1}),
    ("referral", {"ref": "x"}),
    ("optin", {"type": "x"}),
]


@fuzz
@given(event=st.sampled_from(EVENTS), value=json_values, data=st.data())
def test_events_with_one_odd_field_never_raise(
    driver: Driver, event: tuple[str, dict[str, Any]], value: Any, data: st.DataObject
) -> None:
    name, body = event
    odd = body | {data.draw(st.sampled_from(sorted(body))): value}
    item = {"sender": {"id": "11111"}, "recipient": {"id": "99999"}, "timestamp": 1_790_000_000_000, name: odd}
    sides = data.draw(st.sampled_from([{}, {"timestamp": value}, {"sender": value}, {"recipient": {"id": value}}]))
    part = WebhookPart(None, "x", {"field": "messaging", "value": item | sides, "account_id": "99999"})
    list(driver.parse(part))


@fuzz
@given(shape=st.sampled_from(SHAPES), value=json_values, data=st.data())
def test_items_with_one_odd_field_never_raise(
    driver: Driver, shape: tuple[str, str, dict[str, Any]], value: Any, data: st.DataObject
) -> None:
    field, group, item = shape
    odd = item | {data.draw(st.sampled_from(sorted(item))): value}
    change = {"event": "ACCOUNT_RESTRICTION", group: [odd, value, item]}
    list(driver.parse(WebhookPart(None, "entry[0]", {"field": field, "value": change})))


# A callback of a gateway that speaks plain HTTP.
CALLBACK: dict[str, Any] = {
    "about": "report", "at": "2026-11-20T10:00:00+00:00", "nonce": "n", "query": "id=1&status=1", "content_type": "",
    "body": '{"reports": [{"id": "1", "status": "1", "from": "22997000001"}]}', "errors": {},
    "rules": {"list": "reports", "id": "id", "status": "status", "statuses": {"1": "delivered"}, "from": "from"},
}  # fmt: skip


@fuzz
@given(value=json_values, about=st.sampled_from(["report", "message"]), data=st.data())
def test_callbacks_with_one_odd_field_never_raise(driver: Driver, value: Any, about: str, data: st.DataObject) -> None:
    odd = CALLBACK | {"about": about} | {data.draw(st.sampled_from(sorted(CALLBACK))): value}
    rules = CALLBACK["rules"] | {data.draw(st.sampled_from(sorted(CALLBACK["rules"]))): value}
    body = json.dumps({"reports": [value, {"id": value, "status": value, "from": value}]})
    for callback in (odd, CALLBACK | {"about": about, "rules": rules}, CALLBACK | {"about": about, "body": body}):
        list(driver.parse(WebhookPart(None, "report", callback)))


@fuzz
@given(field=st.sampled_from(["messages", "account_update", "phone_number_quality_update", "x", ""]), value=json_values)
def test_odd_parts_never_raise(driver: Driver, field: str, value: Any) -> None:
    list(driver.parse(WebhookPart(None, "entry[0]", {"field": field, "value": value})))
