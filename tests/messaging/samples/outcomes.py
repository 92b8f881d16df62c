"""What becomes of one of Meta's documented samples: through the real endpoint, or through the driver that it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from messaging.drivers.base import Ambiguous, ChannelInfo, Driver, HttpResponse, Outgoing, SendError
from messaging.drivers.connecting import Access, ConnectDriver, Found
from messaging.drivers.meta.app import read_exchange, read_inspect
from messaging.drivers.registry import driver_of
from messaging.drivers.templates import TemplateDraft, TemplateDriver
from messaging.drivers.uploads import MediaDriver
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver

UUID = "0198c0de-0000-7000-8000-000000000001"
CHANNEL = ChannelInfo("5120", "980215774401238", "", "https://graph.test", {"human_agent": True}, {"access_token": "T"})
# How Meta answers with the errors of which the sample has the body; the code decides, not this.
STATUS = 400
ATTACHMENT_KINDS = {"file": "document"}


def outcome_of_request(group: str, name: str, sample: Any) -> dict[str, Any]:
    """The body that our code makes for the same purpose, without our own correlation."""
    if group == "wa_request":
        return {"body": _whatsapp_request(name, sample)}
    driver = driver_of(group)
    if "sender_action" in sample:
        typing = driver.build_mark_read(CHANNEL, provider_id="m_1", address=sample["recipient"]["id"], typing=True)
        return {"body": json.loads(typing[-1].body)}
    message = Outgoing(UUID, sample["recipient"]["id"], _chat_content(sample), driver.address_kinds[0].name)
    driver.validate(message.content)
    body = json.loads(driver.build_send(CHANNEL, message).body)
    body["message"].pop("metadata", None)
    return {"body": body}


def _chat_content(sample: Any) -> dict[str, Any]:
    message = sample["message"]
    tag = {"tag": sample["tag"]} if "tag" in sample else {}
    attachment = message.get("attachment")
    if attachment is None:
        replies = {"quick_replies": message["quick_replies"]} if "quick_replies" in message else {}
        return {"type": "text", "text": {"body": message["text"]} | replies} | tag
    kind = ATTACHMENT_KINDS.get(attachment["type"], attachment["type"])
    details = {("link" if key == "url" else key): value for key, value in attachment["payload"].items()}
    return {"type": kind, kind: details} | tag


def _whatsapp_request(name: str, sample: Any) -> Any:
    driver = WhatsAppCloudDriver()
    found = Found("5120", "980", "", "")
    access = Access("https://graph.test", "v25.0", "T")
    if name == "register":
        return json.loads(driver.build_register(access, found, sample["pin"]).body)
    if name == "subscribed_apps_override":
        # Webhooks of all numbers come to the app's own address: no override is ever set.
        return (driver.build_subscribe(access, found).body or b"").decode()
    if name.startswith("template_create"):
        draft = TemplateDraft(
            sample["name"],
            sample["language"],
            sample["category"],
            sample["components"],
            sample.get("parameter_format", "POSITIONAL"),
        )
        driver.check_template(draft)
        return json.loads(driver.build_template_create(CHANNEL, draft).body)
    if sample.get("status") == "read":
        (request,) = driver.build_mark_read(
            CHANNEL, provider_id=sample["message_id"], address="1", typing="typing_indicator" in sample
        )
        return json.loads(request.body)
    content = {"type": sample["type"], sample["type"]: sample[sample["type"]]}
    driver.validate(content)
    address = sample.get("recipient") or sample["to"].removeprefix("+")
    reply_to = sample.get("context", {}).get("message_id", "")
    message = Outgoing(UUID, address, content, driver.address_kind_of(address), reply_to)
    body = json.loads(driver.build_send(CHANNEL, message).body)
    body["biz_opaque_callback_data"] = sample.get("biz_opaque_callback_data", "")
    return {key: value for key, value in body.items() if value != ""}


def outcome_of_answer(group: str, name: str, sample: Any) -> dict[str, Any]:
    """What our code reads from an answer."""
    kind = "whatsapp_cloud" if group.startswith("wa_") else group
    driver, body = driver_of(kind), json.dumps(sample).encode()
    if "error" in sample:
        return _refusal(lambda: driver.read_send(HttpResponse(STATUS, body)))
    read = _READERS.get(name, _sent)
    return read(driver, HttpResponse(200, body))


def _refusal(read: Callable[[], Any]) -> dict[str, Any]:
    try:
        read()
    except SendError as error:
        facts = {name: getattr(error, name) for name in ("code", "retryable", "pauses", "opt_out", "counts_as")}
        return facts | {"scope": str(error.scope), "retry_after": error.retry_after, "reason": error.reason}
    except Ambiguous as doubt:
        return {"in_doubt": str(doubt)}
    raise AssertionError("the error was taken for a good answer")


def _sent(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    sent = driver.read_send(response)
    return {"provider_id": sent.provider_id, "recipient": sent.recipient, "note": sent.note}


def _done(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    driver.read_mark_read(response)
    return {"done": True}


def _templates(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    assert isinstance(driver, TemplateDriver)
    page = driver.read_template_list(response)
    rows = [[row.name, row.language, row.status, row.category, row.quality] for row in page.templates]
    return {"templates": rows, "after": page.after}


def _template(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    assert isinstance(driver, TemplateDriver)
    made = driver.read_template_create(response)
    return {"provider_id": made.provider_id, "status": made.status, "category": made.category}


def _media_id(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    assert isinstance(driver, MediaDriver)
    return {"media_id": driver.read_media_upload(response)}


def _media(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    assert isinstance(driver, MediaDriver)
    found = driver.read_media_get(response)
    return {"media_id": found.media_id, "type": found.content_type, "size": found.size, "sha256": found.sha256}


def _numbers(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    assert isinstance(driver, ConnectDriver)
    found = driver.read_addresses(response, "980")
    return {"numbers": [[row.external_id, row.address, row.name, row.quality] for row in found]}


def _token(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    return {"token": read_exchange(response)}


def _inspected(driver: Driver, response: HttpResponse) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(read_inspect(response)).items()}


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


_READERS: Mapping[str, Callable[[Driver, HttpResponse], dict[str, Any]]] = {
    "success_true": _done,
    "response_sender_action": _done,
    "templates_page1": _templates,
    "templates_last_page": _templates,
    "templates_empty": _templates,
    "template_create": _template,
    "media_upload": _media_id,
    "media_get": _media,
    "phone_numbers": _numbers,
    "oauth_access_token": _token,
    "debug_token": _inspected,
    "debug_token_invalid": _inspected,
}


def stored_outcome(event: Any, organizations: Mapping[str, Any]) -> dict[str, Any]:
    """What is in the database after a webhook, without what differs from run to run."""
    from django_tenants.utils import schema_context

    problems = [[problem["where"], problem["code"], problem["reason"]] for problem in event.problems]
    found: dict[str, Any] = {"event": event.status, "problems": problems}
    for name, organization in organizations.items():
        with schema_context(organization.schema_name):
            facts = {key: rows for key, rows in _facts().items() if rows}
        if facts:
            found[name] = facts
    return found


def _facts() -> dict[str, list[Any]]:
    from contacts.models import Identity, ServiceWindow, Suppression
    from messaging.models import Channel, MediaFile, Message, MessageTemplate

    return {
        "messages": [
            {
                "direction": row.direction, "origin": row.origin, "type": row.type, "status": row.status,
                "address": row.address, "provider_id": row.provider_id, "reply_to": row.reply_to,
                "content": row.content, "error": row.error_code,
                "times": [at and re.sub(r"\+00:00$", "Z", at.isoformat()) for at in (row.delivered_at, row.read_at)],
            }
            for row in Message.objects.order_by("id")
        ],
        "identities": sorted(
            f"{row.kind}:{row.value} {row.contact.name}" for row in Identity.objects.select_related("contact")
        ),
        "windows": sorted(ServiceWindow.objects.values_list("address", flat=True)),
        "files": [[row.kind, row.mime_type, row.filename, row.state] for row in MediaFile.objects.order_by("id")],
        "suppressed": [[row.address, row.scope, row.reason] for row in Suppression.objects.order_by("address")],
        "channels": [
            [row.status, row.status_reason, row.quality_rating, row.config]
            for row in Channel.objects.order_by("id")
            if row.status != "connected" or row.quality_rating or row.config
        ],
        "templates": [
            [row.name, row.language, row.status, row.category, row.quality, row.reason]
            for row in MessageTemplate.objects.order_by("id")
        ],
        "told": told(),
    }  # fmt: skip


def told() -> list[dict[str, Any]]:
    """The events as a vendor of the gateway API is told them, in their order."""
    from webhooks_app.models import Delivery
    from webhooks_app.services.deliveries import payloads_of

    deliveries = list(Delivery.objects.select_related("endpoint").order_by("id"))
    payloads = payloads_of(deliveries=deliveries)
    return [_steady(payloads[delivery.pk]) for delivery in deliveries]


def _steady(payload: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from run to run: ids of files, and the time at which a channel was paused."""
    for file in payload.get("message", {}).get("files", []):
        assert file["url"].endswith(f"/v1/files/{file['id']}")
        file["id"] = file["url"] = "(a uuid)"
    if payload["event"] == "channel.status_changed":
        payload["timestamp"] = 0
    return payload
