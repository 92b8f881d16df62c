"""STOP and START: recognised, in force at once and everywhere, told once, confirmed once."""

from __future__ import annotations

from typing import Any

import pytest
from django_tenants.utils import schema_context

from contacts.stop_words import word_normalise
from tests.messaging.inbound.bodies import AT, PHONE, body, change, text

INES = [{"profile": {"name": "Ines Okafor"}, "wa_id": PHONE, "user_id": "BJ.7Qm2Zk81"}]


@pytest.fixture
def says(live: Any, feed: Any) -> Any:
    """`says(text, number)`: Ines writes; the number names the message, and later ones are newer."""
    _, channel, *_ = live

    def send(words: str, number: int = 1, **fields: Any) -> None:
        message = text(f"wamid.{number}", words, timestamp=str(AT + number), **fields)
        feed(body(change(channel.external_id, contacts=INES, messages=[message])))

    return send


def stopped(organization: Any) -> list[tuple[str, str, str]]:
    from contacts.models import Suppression

    with schema_context(organization.schema_name):
        return sorted(Suppression.objects.values_list("address", "reason", "scope"))


def policy(organization: Any, **fields: Any) -> None:
    from contacts.models import OptOutPolicy

    with schema_context(organization.schema_name):
        OptOutPolicy.objects.create(**fields)


def answers(organization: Any) -> list[str]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        rows = Message.objects.filter(direction="out").order_by("id")
        return [row.content["text"]["body"] for row in rows]


def happened(organization: Any) -> tuple[list[str], list[str]]:
    from audit.models import AuditEntry
    from webhooks_app.models import Event

    with schema_context(organization.schema_name):
        audited = AuditEntry.objects.filter(action__startswith="contact.").order_by("id")
        return (
            list(audited.values_list("action", flat=True)),
            list(Event.objects.filter(type__startswith="contact.").order_by("id").values_list("type", flat=True)),
        )


def listen(organization: Any) -> None:
    from webhooks_app.services.endpoints import endpoint_create

    with schema_context(organization.schema_name):
        endpoint_create(surface="transactional", url="http://127.0.0.1:9/hook", events=["*"])


@pytest.mark.parametrize("words", ["STOP", " Stop! ", "Arrêt", "ARRET.", "baja", "Désabonner", "unsubscribe"])
def test_a_stop_word_stops_marketing_on_every_address_of_the_person(live, says, words):
    organization, _, other, _ = live
    listen(organization)
    says(words)
    expected = [(PHONE, "opt_out", "marketing"), ("BJ.7Qm2Zk81", "opt_out", "marketing")]
    assert stopped(organization) == sorted(expected)
    assert happened(organization) == (["contact.opted_out"], ["contact.opted_out"])
    assert stopped(other) == []
    assert answers(organization) == []


@pytest.mark.parametrize("words", ["please stop by tomorrow", "stopped", "", "🛑", "s" * 4000, "cancel", "stop\x00x"])
def test_anything_else_stops_nothing(live, says, words):
    organization, *_ = live
    says(words)
    assert stopped(organization) == []


def test_stop_and_start_are_told_and_answered_once_however_often_they_come(live, says):
    organization, *_ = live
    listen(organization)
    policy(organization, stop_reply="No more offers.", start_reply="Welcome back.")
    says("STOP", 1)
    says("STOP", 1)
    says("stop", 2)
    assert answers(organization) == ["No more offers."]
    says("START", 3)
    assert stopped(organization) == []
    says("START", 4)
    assert answers(organization) == ["No more offers.", "Welcome back."]
    both = ["contact.opted_out", "contact.opted_in"]
    assert happened(organization) == (both, both)


def test_a_start_that_is_older_than_the_stop_does_not_undo_it(live, says):
    organization, *_ = live
    says("STOP", 5)
    says("START", 4)
    assert len(stopped(organization)) == 2


def test_a_blacklisting_outlives_a_start(live, says):
    from contacts.models import Suppression

    organization, *_ = live
    with schema_context(organization.schema_name):
        Suppression.objects.create(address=PHONE, reason="blacklist", scope="all")
    says("START")
    assert stopped(organization) == [(PHONE, "blacklist", "all")]


def test_the_organisations_own_words_and_scope_count(live, says):
    organization, *_ = live
    policy(organization, stop_words=["genug"], start_words=[], scope="all", stop_reply="Bye.")
    says("STOP", 1)
    assert stopped(organization) == []
    says("Genug!", 2)
    assert {scope for _, _, scope in stopped(organization)} == {"all"}
    # Accepted although everything is stopped from now on.
    assert answers(organization) == ["Bye."]
    says("genug", 3)
    assert answers(organization) == ["Bye."]


def test_a_channel_that_cannot_answer_still_stops(live, says):
    from messaging.models import Channel
    from messaging.services import channels

    organization, *_ = live
    policy(organization, stop_reply="Bye.")
    with schema_context(organization.schema_name):
        Channel.objects.update(status="paused")
    channels._snapshots.clear()
    says("STOP")
    assert len(stopped(organization)) == 2
    assert answers(organization) == []


def test_a_button_of_that_text_stops_too(live, feed):
    organization, channel, *_ = live
    pressed = text("wamid.1") | {"type": "button", "button": {"text": "STOP", "payload": "x"}}
    pressed.pop("text")
    feed(body(change(channel.external_id, contacts=INES, messages=[pressed])))
    assert len(stopped(organization)) == 2


def test_words_are_compared_without_case_accents_and_punctuation():
    assert word_normalise("  ¡Darme   DE baja! ") == "darme de baja"
    assert word_normalise("x" * 41) == ""
