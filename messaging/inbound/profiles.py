"""Names of people whose messages come without one: asked at the provider in the background, one person at a time.

A webhook never waits for it. A person without a name is asked about once a day at most, when they write.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import structlog
from django.db import connection
from django.utils import timezone

from contacts.models import Contact, Identity
from contacts.services.identities import contact_name_learn
from messaging.drivers.profiles import ProfileDriver
from messaging.drivers.registry import driver_of, drivers
from messaging.models import Channel
from messaging.provider_calls import info_of, provider_ask
from tenants.agenda import agenda_handler
from tenants.errors import Conflict, InvalidInput

log = structlog.get_logger(__name__)

KIND: Final = "profile"
# A provider that is away or busy is asked again after this long, until the person's message is a day old.
AGAIN: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=1)

_NOTE: Final = """
INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
SELECT current_schema(), %(kind)s, %(channel)s || ':' || id, now()
FROM contacts_contact
WHERE id = ANY(%(contacts)s) AND name = '' AND (last_seen_at IS NULL OR last_seen_at < now() - interval '1 day')
ORDER BY id
ON CONFLICT (schema, kind, key) DO NOTHING
"""


@cache
def _kinds() -> frozenset[str]:
    """The kinds of identities whose names can be asked for."""
    asked = (driver for driver in drivers().values() if isinstance(driver, ProfileDriver))
    return frozenset(kind.name for driver in asked for kind in driver.address_kinds)


def profiles_note(*, channel_id: int, written: Iterable[tuple[str, int]]) -> None:
    """Have the names of these people asked for, (kind of identity, contact id) each, as far as they have none.

    In the transaction that stores their messages, before it notes when they wrote.
    """
    contacts = sorted({contact_id for kind, contact_id in written if kind in _kinds()})
    if not contacts:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"kind": KIND, "channel": str(channel_id), "contacts": contacts})


@agenda_handler(KIND)
def profile_ask(schema: str, key: str) -> datetime | None:
    """Ask for one person's name. Returns when to try again, None when it is known or will not be."""
    channel_id, _, contact_id = key.partition(":")
    channel = Channel.objects.filter(pk=int(channel_id)).first()
    contact = Contact.objects.filter(pk=int(contact_id), name="").first()
    if channel is None or contact is None:
        return None
    driver = driver_of(channel.kind)
    if not isinstance(driver, ProfileDriver):
        return None
    kinds = [kind.name for kind in driver.address_kinds]
    address = Identity.objects.filter(contact=contact, kind__in=kinds).values_list("value", flat=True).last()
    if address is None:
        return None
    try:
        name = provider_ask(driver.build_profile(info_of(channel), address), driver.read_profile)
    except Conflict as error:
        if error.code == "channel_refused" or _is_old(contact):
            log.info("profile_not_known", channel=channel.pk, reason=error.message)
            return None
        return timezone.now() + max(AGAIN, timedelta(seconds=error.retry_after or 0))
    except InvalidInput as error:
        # The person has left, or shows their profile to nobody.
        log.info("profile_not_known", channel=channel.pk, reason=error.message)
        return None
    if name:
        contact_name_learn(contact_id=contact.pk, name=name)
    return None


def _is_old(contact: Contact) -> bool:
    return contact.last_seen_at is None or contact.last_seen_at < timezone.now() - KEPT
