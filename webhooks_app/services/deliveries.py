"""The log of deliveries, and sending one again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from tenants.errors import Conflict, NotFound
from webhooks_app.catalogue import SURFACE_EVENTS, surface_name
from webhooks_app.formats import object_of
from webhooks_app.formats.neutral import NeutralEvent
from webhooks_app.models import Attempt, Delivery, Endpoint, Event
from webhooks_app.pump.request import request_build, secrets_valid
from webhooks_app.services.lanes import lane_look

Status = Delivery.Status
FINISHED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """What an attempt sent, rebuilt: headers in order and the body as text."""

    headers: dict[str, str]
    body: str


def deliveries_of(
    *,
    surface: str | None = None,
    endpoint_id: int | None = None,
    event: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
    test_only: bool = False,
) -> QuerySet[Delivery]:
    """Deliveries of the current schema, newest first; slice it. `before_id` continues behind the last row of a page.

    `event` is the surface's name or a type; `status` one of the model's, where pending includes those under way.
    `test_only`: to the endpoints of test keys.
    """
    rows = Delivery.objects.select_related("endpoint").order_by("-id")
    if surface is not None:
        rows = rows.filter(endpoint__surface=surface)
    if test_only:
        rows = rows.filter(endpoint__test_only=True)
    if endpoint_id is not None:
        rows = rows.filter(endpoint_id=endpoint_id)
    if event is not None:
        types = SURFACE_EVENTS[surface].get(event, (event,)) if surface is not None else (event,)
        rows = rows.filter(event_type__in=types)
    if status is not None:
        rows = rows.filter(status__in=[Status.PENDING, Status.SENDING] if status == Status.PENDING else [status])
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    if until is not None:
        rows = rows.filter(created_at__lt=until)
    return rows if before_id is None else rows.filter(pk__lt=before_id)


def deliveries_last(*, endpoint_id: int, count: int = 10) -> list[Delivery]:
    """The endpoint's newest deliveries."""
    return list(deliveries_of(endpoint_id=endpoint_id)[:count])


def delivery_get(*, uuid: UUID, surface: str | None = None, test_only: bool = False) -> Delivery:
    """One delivery. Raises `NotFound`."""
    found = deliveries_of(surface=surface, test_only=test_only).filter(uuid=uuid).first()
    if found is None:
        raise NotFound("delivery_not_found", _("No such delivery."))
    return found


def payloads_of(*, deliveries: Iterable[Delivery]) -> dict[int, dict[str, Any]]:
    """Delivery id -> its JSON body as its surface documents it, with one query; `{}` when it is not kept any more."""
    listed = list(deliveries)
    events = Event.objects.in_bulk([delivery.event_id for delivery in listed])
    return {delivery.pk: _payload(delivery, events.get(delivery.event_id)) for delivery in listed}


def _payload(delivery: Delivery, event: Event | None) -> dict[str, Any]:
    if event is None or event.data.get("removed") is True:
        return {}
    surface = delivery.endpoint.surface
    name = surface_name(surface, event.type)
    return object_of(
        surface, NeutralEvent(str(delivery.uuid), event.type, name, event.created_at, event.is_test, event.data)
    )


def attempt_request(*, attempt: Attempt, delivery: Delivery) -> AttemptRequest | None:
    """What `attempt` sent, signed with the endpoint's present secrets; None when payload or secret are gone."""
    event = Event.objects.filter(pk=delivery.event_id).first()
    endpoint = delivery.endpoint
    if event is None or event.data.get("removed") is True or not endpoint.secrets.get("current"):
        return None
    request = request_build(
        surface=endpoint.surface,
        secrets_valid=secrets_valid(endpoint.secrets, endpoint.previous_until, timezone.now()),
        delivery_uuid=str(delivery.uuid),
        event_type=event.type,
        data=event.data,
        happened_at=event.created_at,
        is_test=event.is_test,
        timestamp=int(attempt.at.timestamp()),
    )
    return AttemptRequest(request.headers, request.body.decode())


def delivery_replay(*, delivery_id: int) -> None:
    """Deliver once more, at once, with the same webhook-id and the whole schedule of retries before it.

    Raises `NotFound`, or `Conflict` when it is still waiting, its endpoint is off, or its payload is not kept.
    """
    delivery = Delivery.objects.select_related("endpoint").filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound("delivery_not_found", _("No such delivery."))
    endpoint: Endpoint = delivery.endpoint
    if endpoint.deleted_at is not None or not endpoint.is_active:
        raise Conflict("webhook_off", _("The webhook is switched off."))
    event = Event.objects.filter(pk=delivery.event_id).only("data").first()
    if event is None or event.data.get("removed") is True:
        raise Conflict("payload_removed", _("The payload of this delivery is not kept any more."))
    with transaction.atomic():
        changed = Delivery.objects.filter(pk=delivery_id, status__in=FINISHED).update(
            status=Status.PENDING, attempts=0, due_at=timezone.now(), finished_at=None, error="", fence=None
        )
        if not changed:
            raise Conflict("delivery_waiting", _("The delivery is still waiting and goes out by itself."))
        audit_record(
            action="webhook.delivery_replayed",
            subject=endpoint,
            new={"delivery": str(delivery.uuid), "event": delivery.event_type},
        )
        lane_look(endpoint_id=endpoint.pk)
