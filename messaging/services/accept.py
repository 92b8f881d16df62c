"""Accepting messages: check, insert in one statement, wake the lane. The only way into the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils.translation import gettext as _

from audit.actor import actor_current
from billing.pricing import price_category, text_of
from billing.services.payers import payer_of
from contacts.models import Contact, Identity
from contacts.services.identities import Person, contacts_resolve, contacts_save
from messaging.addresses import address_normalise
from messaging.content import content_fill
from messaging.dispatch.wake import lane_wake
from messaging.drivers.base import PHONE, Capability, ContentError
from messaging.media.files import files_guard
from messaging.models import Channel, Message, MessageTemplate
from messaging.services.channels import ChannelSnapshot
from messaging.services.charging import Priced, charge_prepare
from messaging.services.content_refusals import content_refused
from messaging.services.insert import Charge, InsertRow, messages_insert
from messaging.services.template_guard import template_guard
from tenants.errors import Conflict, InvalidInput, ServiceError
from tenants.fields import uuid7
from tenants.services.plans import PlanOwner, limit_check, quota_return, quota_take

MAX_AHEAD = timedelta(days=366)


class SendingOrganization(PlanOwner, Protocol):
    """What accepting needs of an organisation: its row, or the snapshot that a checked API key carries."""

    @property
    def default_country(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """One message as the caller gives it: `to` as typed, `content` as `Outgoing.content`, values for `{{key}}`."""

    to: str
    content: Mapping[str, Any]
    variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that is in the queue. `index` is the draft's place, `to` the normalised address."""

    index: int
    uuid: UUID
    to: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """One draft that was refused; `code` is stable, `reason` for people, `fields` names what is wrong."""

    index: int
    to: str
    code: str
    reason: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of a call: both lists in the order of the drafts."""

    accepted: list[Accepted]
    rejections: list[Rejection]
    queued_at: datetime


def message_accept(*, draft: Draft, **options: Any) -> Accepted:
    """Accept one message; the options are those of `messages_accept`. Raises what would have been its rejection."""
    acceptance = messages_accept(drafts=[draft], **options)
    if acceptance.rejections:
        refusal = acceptance.rejections[0]
        raise InvalidInput(refusal.code, refusal.reason, refusal.fields)
    return acceptance.accepted[0]


def messages_accept(
    *,
    organization: SendingOrganization,
    channel: ChannelSnapshot,
    drafts: Sequence[Draft],
    origin: str,
    priority: int,
    scheduled_at: datetime | None = None,
    expires_at: datetime | None = None,
    save_contact: bool = False,
    api_key_id: int | None = None,
    membership_id: int | None = None,
    bulk_uuid: UUID | None = None,
    is_sensitive: bool = False,
    reply_to: str = "",
    by_person: bool = False,
    is_marketing: bool = False,
) -> Acceptance:
    """Put the drafts into the channel's queue: all that may be sent are inserted by one statement, the rest rejected.

    The schema of `organization` must be the current one. The lane is woken after the commit.
    `by_person`: somebody wrote it by hand, for which some providers allow more time. `is_marketing`: people who opted
    out of marketing are refused; templates of that category are it anyway. `membership_id`: the member who sends,
    who acts now unless it is given; they pay if they have credits of their own, else the organisation does, if it is
    charged at all. Raises `Conflict` channel_not_connected, `LimitReached` plan_limit_reached and insufficient_credits,
    `InvalidInput` for a `scheduled_at` that is over a year ahead; whatever is wrong with a single draft becomes its
    rejection.
    """
    if channel.status != Channel.Status.CONNECTED:
        raise Conflict(
            "channel_not_connected", _("The channel is not connected (it is %(state)s).") % {"state": channel.status}
        )
    now = datetime.now(UTC)
    if scheduled_at is not None and scheduled_at > now + MAX_AHEAD:
        raise InvalidInput("schedule_too_far", _("Must be within a year."), {"scheduleAt": _("must be within a year")})
    prepare = partial(
        _prepare,
        schema=organization.schema_name,
        channel=channel,
        country=organization.default_country,
        by_person=by_person,
        is_marketing=is_marketing,
        now=now,
    )
    ready, rejections = _sort_out(drafts, prepare)
    member = membership_id or actor_current().membership_id
    charged = _charge(organization, channel, member, origin, ready)
    charge, unpriced = charged if charged is not None else (None, frozenset())
    if unpriced:
        rejections = _with(rejections, [_no_price(row) for row in ready if row.uuid in unpriced])
        ready = [row for row in ready if row.uuid not in unpriced]
    if not ready:
        return Acceptance([], rejections, now)
    quota_take(organization=organization, count=len(ready))
    try:
        # Alone the insert is one statement, which needs no transaction; contacts are only saved with their messages.
        with transaction.atomic() if charge is not None and save_contact else nullcontext():
            contact_ids = _contacts(organization, channel, ready) if save_contact else {}
            held_back = messages_insert(
                schema=organization.schema_name,
                channel_id=channel.id,
                rows=[
                    InsertRow(
                        row.uuid,
                        row.address,
                        row.type,
                        row.content,
                        contact_ids.get(row.address),
                        row.window_from,
                        row.is_marketing,
                    )
                    for row in ready
                ],
                origin=origin,
                priority=priority,
                queued_at=now,
                due_at=scheduled_at if scheduled_at is not None and scheduled_at > now else None,
                expires_at=expires_at,
                api_key_id=api_key_id,
                membership_id=member,
                bulk_uuid=bulk_uuid,
                is_sensitive=is_sensitive,
                reply_to=reply_to,
                charge=charge,
            )
    except Exception:
        quota_return(organization=organization, count=len(ready))
        raise
    if held_back:
        quota_return(organization=organization, count=len(held_back))
        refused = _refused(channel, [row for row in ready if row.uuid in held_back])
        rejections = _with(rejections, refused)
        ready = [row for row in ready if row.uuid not in held_back]
    if ready and (scheduled_at is None or scheduled_at <= now):
        transaction.on_commit(partial(lane_wake, organization.schema_name, channel.id))
    return Acceptance([Accepted(row.index, row.uuid, row.address) for row in ready], rejections, now)


def _with(rejections: list[Rejection], more: list[Rejection]) -> list[Rejection]:
    """All of them in the order of the drafts."""
    return sorted([*rejections, *more], key=lambda rejection: rejection.index)


def _charge(
    organization: SendingOrganization,
    channel: ChannelSnapshot,
    membership_id: int | None,
    origin: str,
    ready: list[_Ready],
) -> tuple[Charge, frozenset[UUID]] | None:
    """Who pays what, and which messages have no price; None when nobody is charged, or for what we answer by rule.

    An organisation that is not charged pays for this with a look at what is known of the channel anyway.
    """
    schema = organization.schema_name
    if not channel.is_charged or not ready or origin == Message.Origin.AUTO:
        return None
    if payer_of(schema=schema, membership_id=membership_id) is None:
        return None
    messages = [
        Priced(
            row.uuid,
            row.address,
            row.text,
            price_category(template_category=row.category, is_marketing=row.is_marketing, origin=origin),
        )
        for row in ready
    ]
    return charge_prepare(
        schema=schema,
        organization_id=organization.pk,
        channel=channel,
        membership_id=membership_id,
        messages=messages,
    )


def _no_price(row: _Ready) -> Rejection:
    text = _("There is no price for this destination.")
    return Rejection(row.index, row.to, "no_price", text, {"to": _("has no price")})


def _contacts(organization: SendingOrganization, channel: ChannelSnapshot, ready: list[_Ready]) -> dict[str, int]:
    """Contact ids by address; refused as a whole when the plan has no room for the new ones."""
    addresses = sorted({row.address for row in ready})
    kinds = {address: channel.driver.address_kind_of(address) for address in addresses}
    phones = [address for address in addresses if kinds[address] == PHONE.name]
    others = [address for address in addresses if kinds[address] != PHONE.name]
    with transaction.atomic():
        new = len(phones) - Contact.objects.filter(phone__in=phones).count()
        new += len(others) - Identity.objects.filter(kind__in=set(kinds.values()), value__in=others).count()
        if new:
            limit_check(organization=organization, what="contacts", adding=new)
        found = contacts_resolve([Person(((kinds[address], address),)) for address in others])
        return contacts_save(phones=phones) | dict(zip(others, found, strict=True))


@dataclass(frozen=True, slots=True)
class _Ready:
    index: int
    uuid: UUID
    to: str
    address: str
    type: str
    content: bytes
    window_from: datetime | None
    is_marketing: bool
    category: str
    text: str | None


def _sort_out(drafts: Sequence[Draft], prepare: Callable[[int, Draft], _Ready]) -> tuple[list[_Ready], list[Rejection]]:
    ready, rejections = [], []
    for index, draft in enumerate(drafts):
        try:
            ready.append(prepare(index, draft))
        except ServiceError as error:
            rejections.append(Rejection(index, draft.to, error.code, error.message, error.fields))
    return ready, rejections


def _prepare(
    index: int,
    draft: Draft,
    *,
    schema: str,
    channel: ChannelSnapshot,
    country: str,
    by_person: bool,
    is_marketing: bool,
    now: datetime,
) -> _Ready:
    driver = channel.driver
    address = address_normalise(driver=driver, value=draft.to, country=country)
    if address == channel.address:
        raise InvalidInput(
            "recipient_is_sender", _("The number is the channel's own."), {"to": _("is the channel's own number")}
        )
    content = draft.content if draft.variables is None else content_fill(draft.content, draft.variables)
    content = driver.written_by_person(content, channel.config) if by_person else content
    try:
        driver.validate(content)
        window = driver.window_of(content, channel.config) if driver.needs_window(content) else None
    except ContentError as error:
        raise content_refused(error) from error
    files_guard(driver=driver, content=content)
    category = template_guard(
        schema=schema, kind=channel.kind, account_id=channel.account_id, driver=driver, content=content
    )
    return _Ready(
        index,
        uuid7(),
        draft.to,
        address,
        str(content["type"]),
        orjson.dumps(content),
        now - window if window is not None and channel.checks_window else None,
        is_marketing or category == MessageTemplate.Category.MARKETING,
        category,
        text_of(content),
    )


def _refused(channel: ChannelSnapshot, held_back: list[_Ready]) -> list[Rejection]:
    """Why the insert held these back: blacklisted or opted out, else a closed window."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT address, bool_or(scope = 'all') FROM contacts_suppression WHERE address = ANY(%s) GROUP BY address",
            [[row.address for row in held_back]],
        )
        suppressed: dict[str, bool] = dict(cursor.fetchall())
    closed = "This person has not written within the time in which messages may be sent."
    if Capability.TEMPLATE in channel.driver.capabilities:
        closed = "This person has not written within the last 24 hours: only a template may be sent."
    return [_refusal(row, suppressed, closed) for row in held_back]


def _refusal(row: _Ready, suppressed: Mapping[str, bool], closed: str) -> Rejection:
    """`suppressed`: address -> whether of everything, else of marketing only."""
    of_everything = suppressed.get(row.address)
    if of_everything is False and row.is_marketing:
        text = _("This person has opted out of marketing messages.")
        return Rejection(row.index, row.to, "suppressed", text, {"to": _("has opted out of marketing")})
    if of_everything or row.window_from is None:
        text = _("This number is blacklisted or has opted out.")
        return Rejection(row.index, row.to, "suppressed", text, {"to": _("is suppressed")})
    return Rejection(row.index, row.to, "window_closed", closed, {"to": _("has no open 24 h window")})
