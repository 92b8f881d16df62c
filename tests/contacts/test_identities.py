"""Finding, creating and merging contacts, also by many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django_tenants.utils import schema_context

from contacts.services.identities import (
    Person,
    contact_find_or_create,
    contact_identity_move,
    contacts_resolve,
    contacts_save,
    contacts_seen,
)
from contacts.services.suppressions import marketing_resume, marketing_stop
from contacts.services.windows import windows_open

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
PHONE, BSUID = ("phone", "22997000001"), ("bsuid", "BJ.Ines1")


def _contacts() -> list[tuple[str, str | None]]:
    from contacts.models import Contact

    return list(Contact.objects.order_by("id").values_list("name", "phone"))


def _identities(contact_id: int) -> list[tuple[str, str]]:
    from contacts.models import Identity

    return sorted(Identity.objects.filter(contact_id=contact_id).values_list("kind", "value"))


def test_a_new_person_becomes_one_contact_with_all_identities(in_schema: Any) -> None:
    contact = contact_find_or_create(identities=[PHONE, BSUID], name=" Ines\x00 Okafor ")
    assert _contacts() == [("Ines Okafor", "22997000001")]
    assert _identities(contact) == [BSUID, PHONE]
    assert contact_find_or_create(identities=[BSUID]) == contact
    assert contact_find_or_create(identities=[PHONE], name="Other") == contact
    assert _contacts() == [("Ines Okafor", "22997000001")]


def test_a_contact_needs_an_identity(in_schema: Any) -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_find_or_create(identities=[])


def test_the_phone_of_a_person_known_by_a_user_id_is_added_when_it_is_known(in_schema: Any) -> None:
    contact = contact_find_or_create(identities=[BSUID], name="Ines")
    assert _contacts() == [("Ines", None)]
    assert contact_find_or_create(identities=[PHONE, BSUID]) == contact
    assert _contacts() == [("Ines", "22997000001")]
    assert _identities(contact) == [BSUID, PHONE]


def test_two_contacts_that_turn_out_to_be_one_person_become_one_with_all_their_messages(
    channel: Any, make_message_in: Callable[..., Any]
) -> None:
    from messaging.models import Message

    by_id = contact_find_or_create(identities=[BSUID], name="ines.ok")
    by_phone = contact_find_or_create(identities=[PHONE])
    for contact, wamid in ((by_id, "wamid.1"), (by_phone, "wamid.2")):
        make_message_in(channel, contact, wamid)
    merged = contact_find_or_create(identities=[PHONE, BSUID])
    assert merged == by_id < by_phone
    assert _contacts() == [("ines.ok", "22997000001")]
    assert _identities(merged) == [BSUID, PHONE]
    assert set(Message.objects.values_list("contact_id", flat=True)) == {merged}


@pytest.fixture
def make_message_in() -> Callable[..., Any]:
    """`make_message_in(channel, contact id, provider id)`: a received message."""

    def make(channel: Any, contact_id: int, provider_id: str) -> Any:
        from messaging.models import Message

        return Message.objects.create(
            channel=channel, contact_id=contact_id, provider_id=provider_id, direction="in", status="received",
            address="x", type="text", content={}, origin="customer",
        )  # fmt: skip

    return make


def test_a_user_id_that_moves_to_another_phone_does_not_merge_two_customers(in_schema: Any) -> None:
    first = contact_find_or_create(identities=[PHONE, BSUID], name="Ines")
    second = contact_find_or_create(identities=[("phone", "22997000002")], name="Lea")
    assert contact_find_or_create(identities=[("phone", "22997000002"), BSUID]) == second
    assert _contacts() == [("Ines", "22997000001"), ("Lea", "22997000002")]
    assert (_identities(first), _identities(second)) == ([PHONE], [BSUID, ("phone", "22997000002")])


def waits_for_a_lock(seconds: float = 20) -> None:
    """Return once somebody waits for another one's transaction."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize(
    ("former", "expected"),
    [
        (BSUID, [("Ines", "22997000001")]),
        # Whoever has a phone of their own stays who they are: numbers are given to other people.
        (("phone", "22997000009"), [("Ines", "22997000009"), ("", "22997000001")]),
    ],
    ids=["a phone is learnt", "a phone is changed"],
)
def test_a_bulk_call_that_makes_the_same_phone_at_the_same_moment_counts_as_the_first(
    committed: Any, former: tuple[str, str], expected: list[tuple[str, str]]
) -> None:
    organization, _ = committed
    with schema_context(organization.schema_name):
        contact_find_or_create(identities=[former], name="Ines")
    errors: list[Exception] = []

    def learn() -> None:
        try:
            with schema_context(organization.schema_name):
                if former == BSUID:
                    contact_find_or_create(identities=[PHONE, BSUID])
                else:
                    contact_identity_move(kind="phone", previous=former[1], current=PHONE[1])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=learn)
    with schema_context(organization.schema_name):
        with transaction.atomic():
            contacts_save(phones=[PHONE[1]])
            thread.start()
            waits_for_a_lock()
        thread.join(30)
        assert errors == []
        assert _contacts() == expected


def test_many_at_once_make_one_contact(committed: Any) -> None:
    organization, _ = committed
    found: list[int] = []
    errors: list[Exception] = []
    barrier = threading.Barrier(8)

    def run(index: int) -> None:
        identities = [[PHONE, BSUID], [PHONE], [BSUID], [BSUID, PHONE]][index % 4]
        try:
            with schema_context(organization.schema_name):
                barrier.wait(30)
                if index == 5:
                    found.append(contacts_save(phones=[PHONE[1]])[PHONE[1]])
                else:
                    contact_find_or_create(identities=identities, name="Ines")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    with schema_context(organization.schema_name):
        assert [phone for _, phone in _contacts()] == ["22997000001"]
        only = contact_find_or_create(identities=[PHONE, BSUID])
        assert _identities(only) == [BSUID, PHONE]


def test_somebody_being_created_by_another_transaction_is_waited_for(committed: Any) -> None:
    organization, _ = committed
    second: list[int] = []

    def create() -> None:
        with schema_context(organization.schema_name):
            second.append(contact_find_or_create(identities=[PHONE, BSUID]))
        connection.close()

    thread = threading.Thread(target=create)
    with schema_context(organization.schema_name), transaction.atomic():
        first = contact_find_or_create(identities=[BSUID], name="Ines")
        thread.start()
        thread.join(0.5)
        assert second == [], "the second one did not wait"
    thread.join(30)
    assert second == [first]
    with schema_context(organization.schema_name):
        assert _contacts() == [("Ines", "22997000001")]


def test_the_other_organisation_has_its_own_contact_of_the_same_phone(committed: Any) -> None:
    from contacts.models import Contact

    for organization in committed:
        with schema_context(organization.schema_name):
            contact_find_or_create(identities=[PHONE], name=organization.name)
    for organization in committed:
        with schema_context(organization.schema_name):
            assert Contact.objects.get().name == organization.name


def test_resolving_known_people_takes_one_query_per_kind(
    in_schema: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    people = [Person((("phone", f"2299700{n:04}"), ("bsuid", f"BJ.{n}x")), f"P{n}") for n in range(20)]
    ids = contacts_resolve(people)
    assert len(set(ids)) == 20
    with django_assert_num_queries(2):
        assert contacts_resolve([*people, people[0]]) == [*ids, ids[0]]


def test_new_people_are_created_in_a_fixed_number_of_statements(
    in_schema: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    people = [Person((("phone", f"2299720{n:04}"), ("bsuid", f"BJ.{n}y")), f"P{n}") for n in range(150)]
    with django_assert_num_queries(10):
        ids = contacts_resolve([*people, people[3]])
    assert len(set(ids)) == 150
    assert ids[150] == ids[3]
    assert _identities(ids[7]) == [("bsuid", "BJ.7y"), ("phone", "22997200007")]
    assert ("P7", "22997200007") in _contacts()


def test_new_people_who_share_a_name_with_somebody_in_the_batch_are_that_person(in_schema: Any) -> None:
    ids = contacts_resolve([Person((BSUID,), "Ines"), Person((BSUID, PHONE), "Ines"), Person((PHONE,))])
    assert len(set(ids)) == 1
    assert _contacts() == [("Ines", PHONE[1])]
    assert _identities(ids[0]) == [BSUID, PHONE]


def test_many_batches_of_the_same_new_people_at_once_make_one_contact_of_each(committed: Any) -> None:
    organization, _ = committed
    people = [Person((("phone", f"2299730{n:04}"), ("bsuid", f"BJ.{n}z"))) for n in range(60)]
    found: list[list[int]] = []

    def resolve(turn: int) -> None:
        mine = people[turn:] + people[:turn]
        with schema_context(organization.schema_name):
            ids = contacts_resolve(mine) if turn % 3 else None
            if ids is None:
                saved = contacts_save(phones=[person.identities[0][1] for person in mine])
                ids = [saved[person.identities[0][1]] for person in mine]
        found.append(ids[len(mine) - turn :] + ids[: len(mine) - turn])
        connection.close()

    threads = [threading.Thread(target=resolve, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(ids == found[0] for ids in found)
    assert len(set(found[0])) == 60


def test_saving_phones_finds_and_creates_in_a_fixed_number_of_statements(
    in_schema: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    known = contact_find_or_create(identities=[PHONE], name="Ines")
    phones = [f"2299710{n:04}" for n in range(300)]
    with django_assert_num_queries(6):
        found = contacts_save(phones=[*phones, PHONE[1], phones[0]])
    assert set(found) == {*phones, PHONE[1]}
    assert found[PHONE[1]] == known
    assert len(set(found.values())) == 301
    assert _identities(found[phones[0]]) == [("phone", phones[0])]
    with django_assert_num_queries(1):
        assert contacts_save(phones=phones) == {phone: found[phone] for phone in phones}


def test_saving_an_old_number_of_somebody_finds_them(in_schema: Any) -> None:
    contact = contact_find_or_create(identities=[PHONE], name="Ines")
    assert contact_identity_move(kind="phone", previous=PHONE[1], current="22997000009")
    assert _contacts() == [("Ines", "22997000009")]
    assert contacts_save(phones=[PHONE[1], "22997000009"]) == {PHONE[1]: contact, "22997000009": contact}


def test_a_number_that_somebody_else_has_now_is_left_alone(in_schema: Any) -> None:
    first = contact_find_or_create(identities=[PHONE], name="Ines")
    second = contact_find_or_create(identities=[("phone", "22997000002")], name="Lea")
    assert contact_identity_move(kind="phone", previous=PHONE[1], current="22997000002")
    assert (_identities(first), _identities(second)) == ([PHONE], [("phone", "22997000002")])


def test_a_new_user_id_seen_before_its_announcement_is_merged(in_schema: Any) -> None:
    old = contact_find_or_create(identities=[PHONE, BSUID], name="Ines")
    contact_find_or_create(identities=[("bsuid", "BJ.New")])
    for _ in range(2):
        assert contact_identity_move(kind="bsuid", previous=BSUID[1], current="BJ.New")
    assert _contacts() == [("Ines", "22997000001")]
    assert _identities(old) == [BSUID, ("bsuid", "BJ.New"), PHONE]


def test_a_move_of_an_unknown_identity_creates_nobody(in_schema: Any) -> None:
    assert not contact_identity_move(kind="bsuid", previous="BJ.Nobody", current="BJ.New")
    assert _contacts() == []


def test_a_sighting_moves_forward_only_and_fills_a_missing_name(in_schema: Any) -> None:
    from contacts.models import Contact

    named = contact_find_or_create(identities=[PHONE], name="Ines")
    nameless = contact_find_or_create(identities=[BSUID])
    contacts_seen(
        sightings=[(nameless, NOW, "Lea"), (named, NOW, "Someone"), (nameless, NOW - timedelta(hours=1), "Older")]
    )
    contacts_seen(sightings=[(named, NOW - timedelta(days=1), "")])
    assert list(Contact.objects.order_by("id").values_list("name", "last_seen_at")) == [("Ines", NOW), ("Lea", NOW)]


def test_windows_only_grow(channel: Any) -> None:
    from contacts.models import ServiceWindow

    windows_open(channel_id=channel.pk, openings=[("1", NOW), ("2", NOW), ("1", NOW - timedelta(hours=2))])
    windows_open(channel_id=channel.pk, openings=[("2", NOW + timedelta(hours=1)), ("1", NOW - timedelta(hours=1))])
    windows_open(channel_id=channel.pk, openings=[])
    assert sorted(ServiceWindow.objects.values_list("address", "last_inbound_at")) == [
        ("1", NOW),
        ("2", NOW + timedelta(hours=1)),
    ]


def test_a_blacklisting_survives_stop_and_resume(in_schema: Any) -> None:
    from contacts.models import Suppression

    Suppression.objects.create(address="1", reason="blacklist", scope="marketing", note="fraud")
    marketing_stop(addresses=["1", "2"], at=NOW, note="asked")
    assert marketing_resume(addresses=["1", "2"], at=NOW + timedelta(seconds=1)) == 1
    assert list(Suppression.objects.values_list("address", "reason", "note")) == [("1", "blacklist", "fraud")]
