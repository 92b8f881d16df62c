"""Meta's webhooks, normalised: every documented shape, one row each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.drivers.base import Inbound, ReceivedMessage, Route, SentElsewhere, StatusUpdate, Unknown, WebhookPart
from messaging.drivers.news import (
    AccountNews,
    IdentityMove,
    MarketingResume,
    MarketingStop,
    MessagingLimit,
    Pause,
    Quality,
    TemplateNews,
)
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver
from messaging.drivers.whatsapp_cloud.errors import RULES
from tests.messaging.drivers import samples

DRIVER = WhatsAppCloudDriver()
AT = datetime.fromtimestamp(1_790_000_000, UTC)
PHONE = ("phone", "15550140071")
BSUID = ("bsuid", "US.7Qm2Zk81LxTe0aWv")
BOTH = (PHONE, BSUID)
PHONE_ROUTE = Route("whatsapp_phone", "512094478812345")
ACCOUNT_ROUTE = Route("whatsapp_account", "980215774401238")


def _inbound(payload: dict[str, Any]) -> list[Inbound]:
    return [item for part in DRIVER.split(payload) for item in DRIVER.parse(part)]


# name -> (type, identities, opens the window, a path into the content and what is there)
RECEIVED: dict[str, tuple[str, Any, bool, str, Any]] = {
    "audio_file": ("audio", BOTH, True, "audio.voice", False),
    "audio_voice": ("audio", BOTH, True, "audio.mime_type", "audio/ogg; codecs=opus"),
    "button_template_quick_reply": ("button", BOTH, True, "button.payload", "STOP-PROMO"),
    "contacts": ("contacts", BOTH, True, "contacts.0.name.formatted_name", "Omar Haddad"),
    "document": ("document", BOTH, True, "document.filename", "invoice 0042.pdf"),
    "edit": ("edit", BOTH, False, "edit.message.text.body", "Hi, is the café open tomorrow?"),
    "image": ("image", BOTH, True, "image.caption", "Broken screen"),
    "interactive_button_reply": ("interactive", BOTH, True, "interactive.button_reply.id", "confirm-yes"),
    "interactive_list_reply": ("interactive", BOTH, True, "interactive.list_reply.description", "Room 2"),
    "interactive_nfm_reply": ("interactive", BOTH, True, "interactive.nfm_reply.name", "flow"),
    "location": ("location", BOTH, True, "location.name", "Marienplatz"),
    "location_pin_only": ("location", BOTH, True, "location.latitude", 48.1),
    "media_too_large_error": ("unsupported", BOTH, True, "errors.0.code", 131052),
    "order": ("order", BOTH, True, "order.product_items.1.item_price", 4),
    "reaction_add": ("reaction", BOTH, False, "reaction.emoji", "👍"),
    "reaction_remove": ("reaction", BOTH, False, "reaction.emoji", None),
    "revoke": ("revoke", BOTH, False, "type", "revoke"),
    "sticker": ("sticker", BOTH, True, "sticker.animated", False),
    "system_user_changed_user_id": (
        "system", (("bsuid", "US.9Zt4NewIdAfterMove"),), False, "system.type", "user_changed_user_id",
    ),
    "text": ("text", BOTH, True, "text.body", "Hi, is the café on Elm Street open 🙂 / today?"),
    "text_ad_referral": ("text", BOTH, True, "referral.ctwa_clid", "ARBexampleClickId01"),
    "text_forwarded": ("text", BOTH, True, "context.forwarded", True),
    "text_frequently_forwarded": ("text", BOTH, True, "context.frequently_forwarded", True),
    "text_legacy_no_bsuid": ("text", BOTH, True, "text.body", "hello"),
    "text_referred_product": ("text", BOTH, True, "context.referred_product.product_retailer_id", "SKU-204"),
    "text_reply_context": ("text", BOTH, True, "text.body", "The second one please"),
    "text_username_user_no_phone": ("text", (BSUID,), True, "text.body", "Hello from a username account"),
    "unsupported": ("unsupported", BOTH, True, "unsupported.type", "poll_creation"),
    "video": ("video", BOTH, True, "video.id", "2011223344556602"),
}  # fmt: skip
OTHER_IN = {"batch_two_tenants", "system_user_changed_number", "user_id_update", "value_level_errors"}
ANSWERS = {
    "button_template_quick_reply": "wamid.HBgLMTU1NTAxNDAwNzEVAgARGBIwRDdFMjRFNjg4OUIyRkVGRjIA",
    "edit": "wamid.HBgLMTU1NTAxNDAwNzEVAgASGBQzQTJFQTA4Q0FCMzNFNzFDMDJDNgA=",
    "reaction_add": "wamid.HBgLMTU1NTAxNDAwNzEVAgARGBI4RTc0QUJFMTYxQUExMjFGQjgA",
    "revoke": "wamid.HBgLMTU1NTAxNDAwNzEVAgASGBQzQTJFQTA4Q0FCMzNFNzFDMDJDNgA=",
    "text_reply_context": "wamid.HBgLMTU1NTAxNDAwNzEVAgARGBI4RTc0QUJFMTYxQUExMjFGQjgA",
    "text": "",
    "text_forwarded": "",
}


def _at(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content.get(step)
    return content


@samples.needed
def test_every_sample_of_a_received_message_is_in_the_table() -> None:
    assert set(samples.names("wa_webhook_in")) == set(RECEIVED) | OTHER_IN


@samples.needed
@pytest.mark.parametrize("name", RECEIVED)
def test_a_received_message_is_normalised(name: str) -> None:
    payload = samples.load("wa_webhook_in", name)
    kind, identities, opens, path, value = RECEIVED[name]
    (part,) = DRIVER.split(payload)
    (message,) = DRIVER.parse(part)
    assert part.route == PHONE_ROUTE
    assert isinstance(message, ReceivedMessage)
    (raw,) = payload["entry"][0]["changes"][0]["value"]["messages"]
    assert (message.provider_id, message.at) == (raw["id"], AT)
    assert (message.type, message.identities, message.opens_window) == (kind, identities, opens)
    assert _at(message.content, path) == value
    assert message.name == ("" if name == "system_user_changed_user_id" else "Ines Okafor")
    assert not {"from", "id", "timestamp", "from_user_id"} & set(message.content)
    if name in ANSWERS:
        assert message.reply_to == ANSWERS[name]


# name -> (status, seconds after AT, code)
STATUSES: dict[str, tuple[str, int, str]] = {
    "delivered": ("delivered", 2, ""),
    "failed_130472_experiment": ("failed", 5, "130472"),
    "failed_131026_undeliverable": ("failed", 5, "131026"),
    "failed_131042_payment": ("failed", 5, "131042"),
    "failed_131047_window": ("failed", 5, "131047"),
    "failed_131049_marketing_cap": ("failed", 5, "131049"),
    "failed_131050_opted_out": ("failed", 5, "131050"),
    "failed_131053_media": ("failed", 5, "131053"),
    "played": ("read", 70, ""),
    "read": ("read", 60, ""),
    "read_without_delivered": ("read", 3, ""),
    "sent": ("sent", 1, ""),
    "sent_free_entry_point": ("sent", 1, ""),
    "sent_service_window": ("sent", 1, ""),
    "sent_to_bsuid_phone_hidden": ("sent", 1, ""),
    "sent_v23_conversation": ("sent", 1, ""),
}


@samples.needed
def test_every_sample_of_a_status_is_in_the_table() -> None:
    assert set(samples.names("wa_webhook_status")) == set(STATUSES) | {"out_of_order_batch"}


@samples.needed
@pytest.mark.parametrize("name", STATUSES)
def test_a_status_is_normalised(name: str) -> None:
    payload = samples.load("wa_webhook_status", name)
    status, seconds, code = STATUSES[name]
    (part,) = DRIVER.split(payload)
    (update,) = DRIVER.parse(part)
    (raw,) = payload["entry"][0]["changes"][0]["value"]["statuses"]
    assert part.route == PHONE_ROUTE
    assert isinstance(update, StatusUpdate)
    assert (update.provider_id, update.status) == (raw["id"], status)
    assert (update.at - AT).total_seconds() == seconds
    # The echo of the samples is not a uuid of ours.
    assert update.uuid == ""
    assert update.details.get("pricing") == raw.get("pricing")
    assert (update.error.code if update.error else "") == code
    if update.error:
        assert update.error.reason.startswith(RULES[int(code), None].reason)


@samples.needed
def test_statuses_out_of_order_come_out_in_the_order_of_the_body() -> None:
    updates = _inbound(samples.load("wa_webhook_status", "out_of_order_batch"))
    assert [update.status for update in updates if isinstance(update, StatusUpdate)] == ["read", "sent", "delivered"]


RESTRICTION = "Meta restricts the account until 2026-09-28 14:13 UTC: RESTRICTED_BIZ_INITIATED_MESSAGING, RESTRICTED_ADD_PHONE_NUMBER_ACTION."  # noqa: E501
PAUSED = "Your template has been paused for 3 hours because it had continued negative feedback."


def _template(**found: Any) -> tuple[Any, ...]:
    return (TemplateNews("1422038811905577", "order_ready_2", "en_US", **found),)


# name -> (start of the summary, effects)
NEWS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "account_update_deleted": (
        "The WhatsApp business account was deleted at Meta.",
        (Pause("The WhatsApp business account was deleted at Meta."),),
    ),
    "account_update_disabled": ("Meta will disable the account on September 28, 2026.", ()),
    "account_update_partner_added": ("News of the account: PARTNER_ADDED.", ()),
    "account_update_partner_removed": (
        "The business has withdrawn our access to its WhatsApp account.",
        (Pause("The business has withdrawn our access to its WhatsApp account."),),
    ),
    "account_update_restriction": (RESTRICTION, (Pause(RESTRICTION),)),
    "account_update_violation": ("Meta reports a violation of its policies: SPAM.", ()),
    "business_capability_update": ("The account may write first to 10000 people a day.", (MessagingLimit("10000"),)),
    "phone_number_name_update": ("Display name Elm Street Café: APPROVED.", ()),
    "phone_number_quality_update": (
        "Number 15550123400: THROUGHPUT_UPGRADE, messaging limit TIER_10K.",
        (MessagingLimit("TIER_10K", "15550123400"),),
    ),
    "template_category_update_done": (
        "Template order_ready_2 (en_US) is now MARKETING, it was UTILITY.",
        _template(category="MARKETING"),
    ),
    "template_category_update_notice": (
        "Template order_ready_2 (en_US) becomes MARKETING on 2026-09-22 14:13 UTC.",
        _template(next_category="MARKETING"),
    ),
    "template_components_update": (
        "The text of Template order_ready_2 (en_US) has changed.",
        _template(is_text_changed=True),
    ),
    "template_quality_update": (
        "The quality of Template order_ready_2 (en_US) is now YELLOW.",
        _template(quality="YELLOW"),
    ),
    "template_status_approved": (
        "Template order_ready_2 (en_US) is now APPROVED.",
        _template(status="APPROVED", category="UTILITY"),
    ),
    "template_status_disabled": (
        "Template order_ready_2 (en_US) is now DISABLED: Your template has been disabled.",
        _template(status="DISABLED", reason="Your template has been disabled."),
    ),
    "template_status_flagged": ("Template order_ready_2 (en_US) is now FLAGGED.", _template()),
    "template_status_paused": (
        "Template order_ready_2 (en_US) is now PAUSED: Your template has been paused for 3 h",
        _template(status="PAUSED", reason=PAUSED),
    ),
    "template_status_pending_deletion": (
        "Template order_ready_2 (en_US) is now PENDING_DELETION.",
        _template(status="PENDING_DELETION"),
    ),
    "template_status_rejected": (
        "Template order_ready_2 (en_US) is now REJECTED: Variables cannot be at the start or end of the body.",
        _template(
            status="REJECTED", reason="Variables cannot be at the start or end of the body.", category="MARKETING"
        ),
    ),
    "template_status_unpaused": (
        "Template order_ready_2 (en_US) is now APPROVED: Your template has been unpaused.",
        _template(status="APPROVED", reason="Your template has been unpaused."),
    ),
    "user_preferences_stop": (
        "A customer has stopped marketing messages.",
        (MarketingStop(("15550140071", "US.7Qm2Zk81LxTe0aWv"), AT),),
    ),
}


@samples.needed
def test_every_sample_of_account_news_is_in_the_table() -> None:
    # Messages of the phone app are no news; see the test below.
    assert set(samples.names("wa_webhook_account")) - {"smb_message_echo"} == set(NEWS)


@samples.needed
def test_a_message_of_the_phone_app_is_ours_and_sent_elsewhere() -> None:
    (part,) = DRIVER.split(samples.load("wa_webhook_account", "smb_message_echo"))
    (echo,) = DRIVER.parse(part)
    assert part.route == PHONE_ROUTE
    assert isinstance(echo, SentElsewhere)
    assert echo.identities == (("phone", "15550140071"), ("bsuid", "US.7Qm2Zk81LxTe0aWv"))
    assert (echo.type, echo.content) == ("text", {"type": "text", "text": {"body": "sent from the phone app"}})
    assert (echo.source, echo.uuid) == ("phone app", "")


@samples.needed
@pytest.mark.parametrize("name", NEWS)
def test_account_news_are_told_in_plain_language_with_their_effects(name: str) -> None:
    (part,) = DRIVER.split(samples.load("wa_webhook_account", name))
    (news,) = DRIVER.parse(part)
    summary, effects = NEWS[name]
    by_phone = name == "user_preferences_stop"
    assert part.route == (PHONE_ROUTE if by_phone else ACCOUNT_ROUTE)
    assert isinstance(news, AccountNews)
    assert news.summary.startswith(summary)
    assert news.effects == effects


@samples.needed
def test_a_batch_of_two_accounts_is_cut_by_number_with_the_place_of_each_part() -> None:
    parts = list(DRIVER.split(samples.load("wa_webhook_in", "batch_two_tenants")))
    assert [(part.route, part.where) for part in parts] == [
        (PHONE_ROUTE, "entry[0].changes[0]"),
        (PHONE_ROUTE, "entry[0].changes[1]"),
        (Route("whatsapp_phone", "512094478819999"), "entry[1].changes[0]"),
    ]
    assert [[type(item).__name__ for item in DRIVER.parse(part)] for part in parts] == [
        ["ReceivedMessage", "ReceivedMessage"],
        ["StatusUpdate"],
        ["ReceivedMessage"],
    ]


@samples.needed
def test_a_new_number_is_a_message_and_a_move() -> None:
    message, move = _inbound(samples.load("wa_webhook_in", "system_user_changed_number"))
    assert isinstance(message, ReceivedMessage) and isinstance(move, AccountNews)
    assert (message.identities, message.opens_window) == ((PHONE,), False)
    assert move.effects == (IdentityMove("phone", "15550140071", "15550140088"),)


@samples.needed
def test_a_new_user_id_is_a_move() -> None:
    (move,) = _inbound(samples.load("wa_webhook_in", "user_id_update"))
    assert isinstance(move, AccountNews)
    assert move.effects == (IdentityMove("bsuid", "US.7Qm2Zk81LxTe0aWv", "US.9Zt4NewIdAfterMove"),)


@samples.needed
def test_an_error_of_the_number_is_kept_as_something_to_read() -> None:
    (unknown,) = _inbound(samples.load("wa_webhook_in", "value_level_errors"))
    assert isinstance(unknown, Unknown)
    assert unknown.what == "an error of the number: The number's rate at Meta is used up."


def _change(field: str, value: Any) -> WebhookPart:
    return WebhookPart(None, "entry[0].changes[0]", {"field": field, "value": value})


def test_our_own_uuid_is_recognised_in_the_echo_in_any_case() -> None:
    uuid = "0198c0de-0000-7000-8000-00000000000a"
    status = {"id": "wamid.1", "status": "sent", "timestamp": "1790000000"}
    for echo, expected in ((uuid, uuid), (uuid.upper(), uuid), ("x" * 36, ""), (uuid.replace("-", ""), ""), (5, "")):
        (update,) = DRIVER.parse(_change("messages", {"statuses": [status | {"biz_opaque_callback_data": echo}]}))
        assert isinstance(update, StatusUpdate)
        assert update.uuid == expected


def test_a_user_id_in_the_fields_of_the_phone_is_recognised_by_its_form() -> None:
    message = {
        "from": "US.7Qm2Zk81LxTe0aWv",
        "id": "wamid.1",
        "timestamp": 1790000000,
        "type": "text",
        "text": {"body": "x"},
    }
    contacts = [{"wa_id": "US.7Qm2Zk81LxTe0aWv", "profile": {"name": "Ines"}}]
    (received,) = DRIVER.parse(_change("messages", {"messages": [message], "contacts": contacts}))
    assert isinstance(received, ReceivedMessage)
    assert (received.identities, received.name) == ((BSUID,), "Ines")


def test_names_belong_to_the_sender_they_are_listed_for() -> None:
    contacts = [{"wa_id": "111111", "profile": {"name": "One"}}, {"wa_id": "222222", "profile": {"username": "two"}}]
    messages = [
        {"from": sender, "id": f"wamid.{sender}", "timestamp": "1", "type": "text", "text": {"body": "x"}}
        for sender in ("222222", "111111", "333333")
    ]
    items = list(DRIVER.parse(_change("messages", {"messages": messages, "contacts": contacts})))
    assert [item.name for item in items if isinstance(item, ReceivedMessage)] == ["two", "One", ""]


@pytest.mark.parametrize("status", ["deleted", "warning", "", None, 5, ["sent"]])
def test_a_status_that_is_not_known_is_kept(status: Any) -> None:
    entry = {"id": "wamid.1", "status": status, "timestamp": "1790000000"}
    (unknown,) = DRIVER.parse(_change("messages", {"statuses": [entry]}))
    assert isinstance(unknown, Unknown)
    assert unknown.data == entry


@pytest.mark.parametrize("stamp", [None, "", "soon", "-5", "99999999999", "9999999999", 1.5, True, "١٧٩"])
def test_a_time_that_makes_no_sense_keeps_the_item_aside(stamp: Any) -> None:
    value = {
        "statuses": [{"id": "wamid.1", "status": "sent", "timestamp": stamp}],
        "messages": [{"from": "1555555", "id": "wamid.2", "timestamp": stamp, "type": "text"}],
    }
    assert [type(item) for item in DRIVER.parse(_change("messages", value))] == [Unknown, Unknown]


@pytest.mark.parametrize(
    ("value", "effects"),
    [
        ({"wa_id": "1555", "value": "resume"}, (MarketingResume(("1555",), AT),)),
        ({"user_id": "US.1", "value": "signup"}, (MarketingResume(("US.1",), AT),)),
        ({"wa_id": "1555", "value": "maybe"}, ()),
        ({"value": "stop"}, ()),
        ({"wa_id": "1555", "value": "stop", "category": "other"}, ()),
        ({"wa_id": "1555", "value": "stop", "timestamp": "x"}, ()),
    ],
)
def test_preferences_that_cannot_be_read_have_no_effect(value: dict[str, Any], effects: tuple[Any, ...]) -> None:
    entry = {"category": "marketing_messages", "timestamp": 1_790_000_000} | value
    (news,) = DRIVER.parse(_change("user_preferences", {"user_preferences": [entry]}))
    assert isinstance(news, AccountNews)
    assert news.effects == effects


@pytest.mark.parametrize(
    ("value", "effects"),
    [
        ({"event": "FLAGGED", "display_phone_number": "1555"}, (Quality("RED", "1555"),)),
        ({"event": "UNFLAGGED", "display_phone_number": "1555"}, (Quality("UNKNOWN", "1555"),)),
        ({"event": "ONBOARDING", "display_phone_number": "1555"}, ()),
    ],
)
def test_old_quality_events_set_the_rating_of_one_number(value: dict[str, Any], effects: tuple[Any, ...]) -> None:
    (news,) = DRIVER.parse(_change("phone_number_quality_update", value))
    assert isinstance(news, AccountNews)
    assert news.effects == effects


@pytest.mark.parametrize(
    ("ban", "pauses"), [({"waba_ban_state": "DISABLE"}, True), ({"waba_ban_state": "REINSTATE"}, False), (None, False)]
)
def test_a_ban_pauses_and_its_end_does_not_resume_by_itself(ban: Any, pauses: bool) -> None:
    (news,) = DRIVER.parse(_change("account_update", {"event": "DISABLED_UPDATE", "ban_info": ban}))
    assert isinstance(news, AccountNews)
    assert bool(news.effects) == pauses


def test_a_restriction_that_does_not_concern_messages_pauses_nothing() -> None:
    value = {
        "event": "ACCOUNT_RESTRICTION",
        "restriction_info": [{"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION"}],
    }
    (news,) = DRIVER.parse(_change("account_update", value))
    assert isinstance(news, AccountNews)
    assert news.effects == ()


def test_bodies_of_other_objects_are_not_ours() -> None:
    assert list(DRIVER.split({"object": "page", "entry": [{"id": "1"}]})) == []
    assert list(DRIVER.split({})) == []
