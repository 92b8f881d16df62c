"""Names of Messenger and Instagram people: asked at the provider in the background, never twice, never overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context

from contacts.models import Contact
from messaging.inbound.profiles import KIND, profile_ask
from tenants.models import AgendaItem

Make = Callable[..., Any]
PERSON, PAGE, ACCOUNT = "24581177336690015", "304455667788990", "17841455502233441"


def message(mid: str, *, kind: str = "page", page: str = PAGE, at: Any = None) -> bytes:
    moment = int((at or timezone.now()).timestamp() * 1000)
    said = {"mid": mid, "text": "Hello"}
    event = {"sender": {"id": PERSON}, "recipient": {"id": page}, "timestamp": moment, "message": said}
    return json.dumps({"object": kind, "entry": [{"id": page, "time": moment, "messaging": [event]}]}).encode()


@pytest.fixture
def page(committed: Any, make_channel: Make, provider: Any) -> Any:
    """(organisation, its Messenger channel); the sandbox knows the person as Ada Lovelace."""
    organization, _other = committed
    provider.control("POST", "pages", {"page_id": PAGE, "instagram_id": ACCOUNT, "name": "Demo Shop"})
    for number in (PAGE, ACCOUNT):
        provider.reply(PERSON, text="Hello", phone_number_id=number, name="Ada Lovelace")
    return organization, make_channel(organization, kind="messenger", external_id=PAGE, account_id="", address="")


def waiting() -> list[str]:
    return list(AgendaItem.objects.filter(kind=KIND).values_list("key", flat=True))


def ask(organization: Any) -> list[Any]:
    """Do what waits, as the agenda does."""
    results = []
    for item in AgendaItem.objects.filter(kind=KIND):
        with schema_context(item.schema):
            next_at = profile_ask(item.schema, item.key)
        results.append(next_at)
        if next_at is None:
            item.delete()
    return results


def names(organization: Any) -> list[str]:
    with schema_context(organization.schema_name):
        return list(Contact.objects.order_by("id").values_list("name", flat=True))


def test_the_name_is_asked_for_once_and_kept(page: Any, feed: Make) -> None:
    organization, channel = page
    feed(message("m_1"))
    feed(message("m_2"))
    with schema_context(organization.schema_name):
        contact = Contact.objects.get()
    assert waiting() == [f"{channel.pk}:{contact.pk}"]
    assert names(organization) == [""]
    assert ask(organization) == [None]
    assert names(organization) == ["Ada Lovelace"]
    feed(message("m_3"))
    assert waiting() == []


def test_instagram_people_have_names_too(page: Any, feed: Make, make_channel: Make) -> None:
    organization, _channel = page
    make_channel(organization, kind="instagram", external_id=ACCOUNT, account_id=PAGE, address="")
    feed(message("aWdf1", kind="instagram", page=ACCOUNT))
    assert ask(organization) == [None]
    assert names(organization) == ["Ada Lovelace"]


def test_a_name_that_somebody_entered_meanwhile_stays(page: Any, feed: Make) -> None:
    organization, _channel = page
    feed(message("m_1"))
    with schema_context(organization.schema_name):
        Contact.objects.update(name="Our best customer")
    assert ask(organization) == [None]
    assert names(organization) == ["Our best customer"]


def test_a_provider_that_is_away_is_asked_again_for_a_day(page: Any, feed: Make, settings: Any) -> None:
    organization, _channel = page
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    feed(message("m_1"))
    (next_at,) = ask(organization)
    assert timedelta(minutes=9) < next_at - timezone.now() <= timedelta(minutes=10)
    with schema_context(organization.schema_name):
        Contact.objects.update(last_seen_at=timezone.now() - timedelta(days=1, minutes=1))
    assert ask(organization) == [None]
    assert names(organization) == [""]


def test_a_refused_token_ends_it_and_the_person_is_asked_about_at_most_daily(
    page: Any, feed: Make, provider: Any
) -> None:
    organization, _channel = page
    provider.control("POST", "tokens", {"token": "sandbox-token-test", "state": "revoked"})
    feed(message("m_1"))
    assert ask(organization) == [None]
    feed(message("m_2"))
    assert waiting() == []
    with schema_context(organization.schema_name):
        Contact.objects.update(last_seen_at=timezone.now() - timedelta(days=2))
    feed(message("m_3"))
    assert len(waiting()) == 1


def test_messages_with_names_ask_nothing(live: Any, feed: Make) -> None:
    from tests.messaging.inbound.bodies import body, change, text

    _organization, channel, *_ = live
    feed(body(change(channel.external_id, messages=[text("wamid.1")])))
    assert waiting() == []


def test_what_the_agenda_names_may_be_gone(page: Any) -> None:
    organization, channel = page
    with schema_context(organization.schema_name):
        assert profile_ask(organization.schema_name, f"{channel.pk}:999999") is None
        assert profile_ask(organization.schema_name, "999999:1") is None
