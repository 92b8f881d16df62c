"""From a stored webhook to messages, statuses and news in the right organisations.

Split, group by channel, apply. Everything below is safe to repeat, so an event that broke half-way is simply processed
again; one part that breaks holds up neither the others nor other organisations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django_tenants.utils import schema_context

from config.metrics import counter_add
from messaging.drivers.base import (
    AccountUpdate,
    Driver,
    Inbound,
    ReceivedMessage,
    SentElsewhere,
    StatusUpdate,
    Unknown,
    Watermark,
    WebhookPart,
)
from messaging.drivers.news import AccountNews
from messaging.drivers.registry import drivers
from messaging.inbound.account import channels_of_account, effects_apply
from messaging.inbound.bodies import body_read
from messaging.inbound.elsewhere import elsewhere_store
from messaging.inbound.received import received_store
from messaging.inbound.routing import Target, routes_resolve
from messaging.inbound.statuses import statuses_apply
from messaging.inbound.watermarks import is_unsettled, watermarks_resolve
from messaging.services.channels import channel_pause
from tenants.models import InboundEvent

log = structlog.get_logger(__name__)

# With the sweep's growing pauses these are more than eight hours.
MAX_ATTEMPTS: Final = 15
# A report on a message whose answer is still missing comes again after 10, 20, 40 and 80 s.
EARLY_ATTEMPTS: Final = 5
_PROBLEMS: Final = 200
_OPEN: Final = (InboundEvent.Status.RECEIVED, InboundEvent.Status.FAILED)


@dataclass(slots=True)
class _Batch:
    """What one POST holds for one channel (or one account) of one organisation, with the places in the body."""

    target: Target
    driver: Driver
    account_id: str
    statuses: list[tuple[str, StatusUpdate]] = field(default_factory=list)
    watermarks: list[tuple[str, Watermark]] = field(default_factory=list)
    received: list[tuple[str, ReceivedMessage]] = field(default_factory=list)
    elsewhere: list[tuple[str, SentElsewhere]] = field(default_factory=list)
    news: list[tuple[str, AccountNews]] = field(default_factory=list)


class _Work:
    """One event on its way: the batches by channel, and what must be kept aside."""

    def __init__(self, organization_id: int | None) -> None:
        self.organization_id = organization_id
        self.batches: dict[tuple[str, int | None, str], _Batch] = {}
        self.problems: list[dict[str, str]] = []
        self.broken = False
        # A report came before the answer to the send that it is about.
        self.too_early = False

    def problem(self, where: str, code: str, reason: str) -> None:
        """Note what was kept aside; a body full of problems does not fill the table."""
        if len(self.problems) < _PROBLEMS:
            self.problems.append({"where": where, "code": code, "reason": reason[:500]})


def event_process(*, event_id: int) -> None:
    """Process a stored event once; does nothing when it is done already. Never raises for what is in the body."""
    event = InboundEvent.objects.filter(pk=event_id, status__in=_OPEN).first()
    if event is None:
        return
    work = _Work(event.organization_id)
    payload = body_read(bytes(event.body))
    if payload is None:
        work.problem("", "malformed", "The body is not a JSON object.")
    else:
        _sort(work, _parts(work, payload))
    for batch in work.batches.values():
        _apply_safely(work, batch)
    _finish(event, work)


def _parts(work: _Work, payload: dict[str, Any]) -> list[tuple[Driver, WebhookPart]]:
    """Each driver takes what is its own out of the body; nothing taken means that nobody knows this kind of body."""
    parts = [(driver, part) for driver in drivers().values() for part in driver.split(payload)]
    if not parts:
        work.problem("object", "unknown", f"No channel type reads webhooks of {payload.get('object')!r}.")
    return parts


def _sort(work: _Work, parts: list[tuple[Driver, WebhookPart]]) -> None:
    """Put every item of every part into the batch of its channel."""
    targets = routes_resolve({part.route for _, part in parts if part.route is not None})
    for driver, part in parts:
        if part.route is None:
            work.problem(part.where, "malformed", "This part cannot be read.")
            continue
        for target in _allowed(work, part, targets.get(part.route, ())):
            key = (target.schema, target.channel_id, part.route.external_id if target.channel_id is None else "")
            batch = work.batches.get(key)
            if batch is None:
                batch = work.batches[key] = _Batch(target, driver, part.route.external_id)
            _fill(work, batch, part)


def _allowed(work: _Work, part: WebhookPart, targets: tuple[Target, ...]) -> Iterator[Target]:
    """The targets that may have this part; says why when there are none."""
    assert part.route is not None
    if not targets:
        work.problem(part.where, "unroutable", f"No channel has {part.route.kind} {part.route.external_id}.")
        return
    own = [target for target in targets if work.organization_id in (None, target.organization_id)]
    if not own:
        work.problem(part.where, "foreign", "This part belongs to another organisation than the address it came to.")
    for target in own:
        if target.is_usable:
            yield target
        else:
            work.problem(part.where, "organization_closed", f"The organisation is {target.status}.")


def _fill(work: _Work, batch: _Batch, part: WebhookPart) -> None:
    for item in _items(work, batch, part):
        match item:
            case StatusUpdate():
                batch.statuses.append((part.where, item))
            case Watermark():
                batch.watermarks.append((part.where, item))
            case ReceivedMessage():
                batch.received.append((part.where, item))
            case SentElsewhere():
                batch.elsewhere.append((part.where, item))
            case AccountNews():
                batch.news.append((part.where, item))
            case Unknown(what):
                work.problem(part.where, "unknown", what)
            case AccountUpdate(field):
                work.problem(part.where, "unknown", field)


def _items(work: _Work, batch: _Batch, part: WebhookPart) -> Iterator[Inbound]:
    """The part's items. Drivers promise not to raise; a driver that does must not take the other parts with it."""
    try:
        yield from batch.driver.parse(part)
    except Exception as error:
        log.exception("inbound_parse_failed", where=part.where, driver=batch.driver.kind)
        work.problem(part.where, "error", f"This part cannot be read: {error}")


def _apply_safely(work: _Work, batch: _Batch) -> None:
    """Apply a batch; whatever breaks, the event is tried again and other organisations' batches go on."""
    try:
        with schema_context(batch.target.schema):
            _apply(work, batch)
    except Exception:
        log.exception("inbound_batch_failed", schema=batch.target.schema, channel=batch.target.channel_id)
        work.broken = True
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _apply(work: _Work, batch: _Batch) -> None:
    channel_id = batch.target.channel_id
    if channel_id is None:
        channel_ids = channels_of_account(kind=batch.driver.kind, account_id=batch.account_id)
    else:
        channel_ids = [channel_id]
        _apply_elsewhere(work, channel_id, batch.elsewhere)
        _apply_statuses(work, channel_id, batch.statuses)
        _apply_watermarks(work, channel_id, batch.watermarks)
        _apply_received(work, channel_id, batch.received)
    for where, news in batch.news:
        effects_apply(channel_ids=channel_ids, effects=news.effects, at=news.at)
        if not news.effects:
            work.problem(where, "news", news.summary)
    if channel_id is None and (batch.statuses or batch.received or batch.elsewhere):
        work.problem(batch.account_id, "unroutable", "Messages or statuses came without the number they belong to.")


def _apply_statuses(work: _Work, channel_id: int, statuses: list[tuple[str, StatusUpdate]]) -> None:
    if not statuses:
        return
    outcome = statuses_apply(channel_id=channel_id, updates=[update for _, update in statuses])
    if outcome.unmatched and is_unsettled(channel_id=channel_id, since=max(update.at for _, update in statuses)):
        work.too_early = True
    elif outcome.unmatched:
        reason = f"{outcome.unmatched} of {len(statuses)} statuses belong to no message sent from here."
        work.problem(statuses[0][0], "unknown_message", reason)
    for position in outcome.broken:
        work.problem(statuses[position][0], "error", "A status could not be stored.")
    for reason in outcome.pause_reasons[:1]:
        if channel_pause(channel_id=channel_id, reason=reason):
            log.error("channel_paused", channel=channel_id, reason=reason)


def _apply_watermarks(work: _Work, channel_id: int, watermarks: list[tuple[str, Watermark]]) -> None:
    if not watermarks:
        return
    marks = [mark for _, mark in watermarks]
    if is_unsettled(channel_id=channel_id, since=max(mark.up_to for mark in marks)):
        work.too_early = True
    reports = watermarks_resolve(channel_id=channel_id, marks=marks)
    _apply_statuses(work, channel_id, [(watermarks[0][0], report) for report in reports])


def _apply_elsewhere(work: _Work, channel_id: int, elsewhere: list[tuple[str, SentElsewhere]]) -> None:
    if not elsewhere:
        return
    for position in elsewhere_store(channel_id=channel_id, messages=[message for _, message in elsewhere]):
        work.problem(elsewhere[position][0], "error", "A message sent elsewhere could not be stored.")


def _apply_received(work: _Work, channel_id: int, received: list[tuple[str, ReceivedMessage]]) -> None:
    if not received:
        return
    for position in received_store(channel_id=channel_id, messages=[message for _, message in received]):
        work.problem(received[position][0], "error", "A message could not be stored.")


def _finish(event: InboundEvent, work: _Work) -> None:
    """Write the event's end, or that it has to be tried again."""
    problems = work.problems
    too_early = work.too_early and event.attempts + 1 < EARLY_ATTEMPTS
    if too_early or (work.broken and event.attempts + 1 < MAX_ATTEMPTS):
        status = InboundEvent.Status.FAILED
    elif work.broken:
        status = InboundEvent.Status.PARTIAL
        reason = f"Given up after {MAX_ATTEMPTS} attempts; the log has the errors."
        problems = [{"where": "", "code": "error", "reason": reason}, *problems]
    else:
        status = InboundEvent.Status.PARTIAL if problems else InboundEvent.Status.DONE
    InboundEvent.objects.filter(pk=event.pk, status__in=_OPEN).update(
        status=status, attempts=F("attempts") + 1, processed_at=timezone.now(), problems=problems
    )
    counter_add("griot_inbound_events", status)
