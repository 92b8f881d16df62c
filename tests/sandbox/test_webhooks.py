"""Webhooks: shapes, Meta's escaping and signature, batches, retries, and the faults that switches ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.webhooks.encoding import meta_json, signature
from tests.sandbox.conftest import NUMBER, PHONE, WABA, Graph, sample, shape
from tests.sandbox.receiver import VERIFY, Receiver, eventually

Switch = Callable[..., Any]


def wait_for(receiver: Receiver, wamid: str, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(receiver.statuses(wamid)) >= count)
    return receiver.statuses(wamid)


def value_of(receiver: Receiver, wamid: str, status: str) -> dict[str, Any]:
    """The webhook value that carried one status, reduced to that status."""
    for waba, field, value in receiver.values():
        for item in value.get("statuses", []):
            if item["id"] == wamid and item["status"] == status:
                assert (waba, field) == (WABA, "messages")
                return {**value, "statuses": [item]}
    raise AssertionError(f"no {status}")


def sample_value(name: str) -> Any:
    return sample(name)["entry"][0]["changes"][0]["value"]


def test_the_encoding_writes_the_documented_bytes_and_signature() -> None:
    vector = sample("security/signature_vector")
    body = meta_json(json.loads(vector["raw_body_utf8"]))
    assert body == vector["raw_body_utf8"]
    assert signature(vector["app_secret"], body.encode()) == vector["value"]
    plain = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    assert signature(vector["app_secret"], plain) == vector["wrong_value_if_reserialised"]


def test_sent_delivered_read_follow_in_this_order(graph: Graph, receiver: Receiver, switch: Switch) -> None:
    switch(webhook_parallel=1)
    wamid = graph.accepted(biz_opaque_callback_data="m=1")
    found = wait_for(receiver, wamid, 3)
    assert [item["status"] for item in found] == ["sent", "delivered", "read"]
    assert {item["biz_opaque_callback_data"] for item in found} == {"m=1"}


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_statuses_have_the_documented_shape(graph: Graph, receiver: Receiver, status: str) -> None:
    wamid = graph.accepted(biz_opaque_callback_data="m=1")
    wait_for(receiver, wamid, 3)
    assert shape(value_of(receiver, wamid, status)) == shape(sample_value(f"wa_webhook_status/{status}"))


def test_a_failure_has_the_documented_shape_and_no_contact(graph: Graph, receiver: Receiver) -> None:
    wamid = graph.accepted(to="+15550140099", biz_opaque_callback_data="m=1")
    assert [item["status"] for item in wait_for(receiver, wamid, 1)] == ["failed"]
    expected = sample_value("wa_webhook_status/failed_131026_undeliverable")
    value = value_of(receiver, wamid, "failed")
    assert shape(value) == shape(expected)
    assert value["statuses"][0]["errors"] == expected["statuses"][0]["errors"]


@pytest.mark.parametrize("code", [131042, 131047, 131049, 131050, 131053, 130472])
def test_other_failures_arrive_with_their_documented_texts(
    graph: Graph, receiver: Receiver, switch: Switch, code: int
) -> None:
    names = {
        131042: "131042_payment",
        131047: "131047_window",
        131049: "131049_marketing_cap",
        131050: "131050_opted_out",
        131053: "131053_media",
        130472: "130472_experiment",
    }
    switch(async_error={"code": code, "count": 1})
    wamid = graph.accepted()
    errors = wait_for(receiver, wamid, 1)[0]["errors"]
    assert errors == sample_value(f"wa_webhook_status/failed_{names[code]}")["statuses"][0]["errors"]
    assert {item["status"] for item in wait_for(receiver, graph.accepted(), 3)} == {"sent", "delivered", "read"}


def test_text_outside_ascii_and_slashes_are_escaped_as_meta_does(graph: Graph, receiver: Receiver) -> None:
    wamid = graph.accepted(biz_opaque_callback_data='café 🙂 a/b \\ "q"')
    assert wait_for(receiver, wamid, 1)[0]["biz_opaque_callback_data"] == 'café 🙂 a/b \\ "q"'
    body = next(body for _, body in receiver.bodies if b"caf" in body)
    assert b'"caf\\u00e9 \\ud83d\\ude42 a\\/b \\\\ \\"q\\""' in body
    assert body.isascii()


def test_a_status_for_a_bsuid_has_no_recipient_id(graph: Graph, receiver: Receiver) -> None:
    status, answer = graph.call("POST", f"{NUMBER}/messages", sample("wa_request/text_to_bsuid"))
    wamid = answer["messages"][0]["id"]
    found = wait_for(receiver, wamid, 1)[0]
    assert (status, "recipient_id" in found, found["recipient_user_id"]) == (200, False, "US.7Qm2Zk81LxTe0aWv")


def test_a_reaction_is_only_ever_sent(graph: Graph, receiver: Receiver) -> None:
    target = graph.accepted()
    wamid = graph.accepted(type="reaction", reaction={"message_id": target, "emoji": "🎉"})
    on_reaction = graph.accepted(type="reaction", reaction={"message_id": wamid, "emoji": "🎉"})
    wait_for(receiver, target, 3)
    assert [item["status"] for item in receiver.statuses(wamid)] == ["sent"]
    failed = wait_for(receiver, on_reaction, 1)[0]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131009)


def test_many_updates_share_a_post(graph: Graph, receiver: Receiver, switch: Switch) -> None:
    switch(sent_after_ms=400, delivered_after_ms=None, read_after_ms=None)
    wamids = {graph.accepted(to=f"+155501400{number:02d}") for number in range(50)}
    assert eventually(lambda: all(receiver.statuses(wamid) for wamid in wamids))
    assert len(receiver.bodies) < 25


def test_duplicates_arrive_when_asked_for(graph: Graph, receiver: Receiver, switch: Switch) -> None:
    switch(status_duplicate=1.0)
    found = wait_for(receiver, graph.accepted(), 6)
    assert sorted(item["status"] for item in found) == ["delivered"] * 2 + ["read"] * 2 + ["sent"] * 2


def test_shuffled_statuses_are_all_there_but_not_all_in_order(graph: Graph, receiver: Receiver, switch: Switch) -> None:
    switch(status_shuffle=True)
    orders = []
    for wamid in [graph.accepted() for _ in range(20)]:
        found = [item["status"] for item in wait_for(receiver, wamid, 3)]
        assert sorted(found) == ["delivered", "read", "sent"]
        orders.append(tuple(found))
    assert set(orders) != {("sent", "delivered", "read")}


def test_dropped_statuses_never_arrive(graph: Graph, receiver: Receiver, switch: Switch, sandbox: Any) -> None:
    switch(status_drop=1.0)
    wamid = graph.accepted()
    assert eventually(lambda: sandbox.inbox(PHONE)[0]["status"] == "read")
    assert receiver.statuses(wamid) == []


def test_a_refused_webhook_is_sent_again_unchanged(graph: Graph, receiver: Receiver, switch: Switch) -> None:
    switch(delivered_after_ms=None, read_after_ms=None)
    receiver.answers[:] = [500, 503]
    wamid = graph.accepted()
    assert len(wait_for(receiver, wamid, 3)) == 3
    bodies = [body for _, body in receiver.bodies if wamid.replace("/", "\\/").encode() in body]
    assert len(set(bodies)) == 1


def test_an_override_takes_messages_but_not_template_updates(graph: Graph, receiver: Receiver) -> None:
    other = receiver.url.replace("/webhook/meta", "/t/42")
    wanted = {"override_callback_uri": other, "verify_token": VERIFY}
    refused = graph.call("POST", f"{WABA}/subscribed_apps", {**wanted, "verify_token": "wrong"})[1]
    assert refused["error"]["code"] == 2200
    assert graph.call("POST", f"{WABA}/subscribed_apps", wanted) == (200, {"success": True})
    listed = graph.call("GET", f"{WABA}/subscribed_apps")[1]["data"]
    assert [item["override_callback_uri"] for item in listed] == [other]
    wamid = graph.accepted()
    graph.call("POST", f"{WABA}/message_templates", sample("wa_request/template_create_named"))
    wait_for(receiver, wamid, 3)
    assert eventually(lambda: any(b"message_template_status_update" in body for _, body in receiver.bodies))
    paths = {path for path, body in receiver.bodies if b'"statuses"' in body}
    template_paths = {path for path, body in receiver.bodies if b"message_template" in body}
    assert (paths, template_paths) == ({"/t/42"}, {"/webhook/meta"})
    assert graph.call("POST", f"{WABA}/subscribed_apps") == (200, {"success": True})
    assert "override_callback_uri" not in graph.call("GET", f"{WABA}/subscribed_apps")[1]["data"][0]


def test_a_number_has_its_own_override(graph: Graph, receiver: Receiver) -> None:
    own = receiver.url.replace("/webhook/meta", "/n/1")
    wanted = {"webhook_configuration": {"override_callback_uri": own, "verify_token": VERIFY}}
    assert graph.call("POST", NUMBER, wanted) == (200, {"success": True})
    wait_for(receiver, graph.accepted(), 3)
    assert {path for path, _ in receiver.bodies} == {"/n/1"}


def test_an_unsubscribed_account_gets_nothing(graph: Graph, receiver: Receiver, sandbox: Any) -> None:
    assert graph.call("DELETE", f"{WABA}/subscribed_apps") == (200, {"success": True})
    assert graph.call("GET", f"{WABA}/subscribed_apps") == (200, {"data": []})
    wamid = graph.accepted()
    assert eventually(lambda: sandbox.inbox(PHONE)[0]["status"] == "read")
    assert receiver.statuses(wamid) == []


def test_the_app_address_can_be_changed_with_the_app_token(graph: Graph, receiver: Receiver) -> None:
    app = "720011223344556"
    moved = receiver.url.replace("/webhook/meta", "/moved")
    values = {"object": "whatsapp_business_account", "callback_url": moved, "verify_token": VERIFY}
    assert graph.call("POST", f"{app}/subscriptions", values)[0] == 401
    app_token = f"{app}|0123456789abcdef0123456789abcdef"
    assert graph.call("POST", f"{app}/subscriptions", values, app_token) == (200, {"success": True})
    wait_for(receiver, graph.accepted(), 3)
    assert {path for path, _ in receiver.bodies} == {"/moved"}


def test_the_closed_window_fails_later_and_opens_by_a_message(
    graph: Graph, receiver: Receiver, switch: Switch, sandbox: Any
) -> None:
    switch(window=True)
    failed = wait_for(receiver, graph.accepted(), 1)[0]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131047)
    sandbox.reply(PHONE, text="Hi", phone_number_id=NUMBER)
    assert {item["status"] for item in wait_for(receiver, graph.accepted(), 3)} == {"sent", "delivered", "read"}
