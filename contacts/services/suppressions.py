"""Who must not be written to: the blacklist of the staff, and opt-outs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from contacts.models import Suppression
from contacts.phones import BadPhone, phone_normalise
from tenants.errors import InvalidInput, NotFound
from webhooks_app.services.events import event_publish


def blacklist_add(*, phone: str, country: str, note: str = "") -> Suppression:
    """Nothing is sent to `phone` (as typed, read as a number of `country`) any more; also not what waits already.

    A number that is on the list stays there with the new note, and nobody is told again. Raises `InvalidInput`
    invalid_phone.
    """
    address = _address(phone, country)
    note = note.replace("\x00", "").strip()[:200]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH before AS ("
                " SELECT reason FROM contacts_suppression WHERE address = %(address)s AND scope = 'all')"
                " INSERT INTO contacts_suppression AS known (address, reason, scope, note, created_at)"
                " VALUES (%(address)s, 'blacklist', 'all', %(note)s, now())"
                " ON CONFLICT (address, scope) DO UPDATE SET reason = 'blacklist',"
                " note = CASE WHEN excluded.note = '' THEN known.note ELSE excluded.note END"
                " RETURNING id, xmax = 0 OR (SELECT reason = 'opt_out' FROM before) IS TRUE",
                {"address": address, "note": note},
            )
            pk, is_new = cursor.fetchone()
        suppression = Suppression.objects.get(pk=pk)
        if is_new:
            audit_record(action="blacklist.added", subject=suppression, new=_audited(suppression))
            event_publish(type="blacklist.added", data={"blacklist": blacklist_payload(suppression)}, key=address)
    return suppression


def blacklist_remove(*, suppression_id: int) -> None:
    """Take an entry off the blacklist (opt-outs are no entries of it). Raises `NotFound`."""
    with transaction.atomic():
        suppression = (
            Suppression.objects.select_for_update()
            .filter(pk=suppression_id, reason=Suppression.Reason.BLACKLIST)
            .first()
        )
        if suppression is None:
            raise NotFound("blacklist_not_found", _("There is no such entry in the blacklist."))
        audit_record(action="blacklist.removed", subject=suppression, old=_audited(suppression))
        suppression.delete()


def blacklist_check(*, phone: str, country: str) -> bool:
    """Whether nothing at all may be sent to `phone`: blacklisted, or opted out of everything. Raises `InvalidInput`."""
    address = _address(phone, country)
    return Suppression.objects.filter(address=address, scope=Suppression.Scope.ALL).exists()


def blacklist_payload(suppression: Suppression) -> dict[str, object]:
    """An entry as the event tells of it: phone as E.164 digits, reason for people."""
    return {
        "number": suppression.pk,
        "phone_number": f"+{suppression.address}" if suppression.address.isdigit() else suppression.address,
        "reason": suppression.note or str(suppression.get_reason_display()),
        "added_at": suppression.created_at.isoformat(),
    }


def marketing_stop(*, addresses: Iterable[str], at: datetime, note: str) -> None:
    """These people want no marketing any more, since `at`; a blacklisting by staff stays one."""
    opt_outs_add(addresses=addresses, at=at, scope=Suppression.Scope.MARKETING, note=note)


def opt_outs_add(*, addresses: Iterable[str], at: datetime, scope: str, note: str) -> None:
    """These people want nothing of `scope` any more, since `at`; a blacklisting by staff stays one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_suppression AS known (address, reason, scope, note, created_at)"
            " SELECT address, 'opt_out', %s, %s, %s FROM unnest(%s::text[]) AS row(address) ORDER BY address"
            " ON CONFLICT (address, scope) DO UPDATE SET created_at = GREATEST(known.created_at, excluded.created_at)"
            " WHERE known.reason = 'opt_out'",
            [scope, note[:200], at, sorted(set(addresses))],
        )


def marketing_resume(*, addresses: Iterable[str], at: datetime) -> int:
    """These people want marketing again, since `at`; a later stop and a blacklisting stay. Returns how many changed."""
    return opt_outs_remove(addresses=addresses, at=at, scopes=[Suppression.Scope.MARKETING])


def opt_outs_remove(*, addresses: Iterable[str], at: datetime, scopes: Sequence[str]) -> int:
    """These people want what is of `scopes` again, since `at`; the rest as `marketing_resume`."""
    return Suppression.objects.filter(
        address__in=set(addresses), scope__in=scopes, reason=Suppression.Reason.OPT_OUT, created_at__lte=at
    ).delete()[0]


def _address(phone: str, country: str) -> str:
    try:
        return phone_normalise(phone, country)
    except BadPhone as error:
        raise InvalidInput("invalid_phone", _("This is not a phone number."), {"phone_number": str(error)}) from error


def _audited(suppression: Suppression) -> dict[str, object]:
    return {
        "address": suppression.address,
        "reason": suppression.reason,
        "scope": suppression.scope,
        "note": suppression.note,
    }
