"""/webhook-deliveries: what was posted and what was answered; and delivering again, one or all since a time."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse

from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import DeliveriesQuery, ReplayInput
from api.gateway.outputs.webhooks import (
    AttemptRow,
    DeliveryList,
    DeliveryReplayed,
    DeliveryRow,
    DeliveryShown,
    ReplayRow,
    ReplayShown,
)
from api.gateway.pagination import cursor_read, cursor_write
from api.gateway.views.webhooks import webhook_of
from api.problems import Problem
from webhooks_app.catalogue import Surface, surface_name
from webhooks_app.models import Delivery, Replay
from webhooks_app.services.deliveries import deliveries_of, delivery_get, delivery_replay, payloads_of
from webhooks_app.services.replays import replay_get, replay_start

_STATUSES: Final = {"SUCCESS": Delivery.Status.SUCCEEDED, "FAILED": Delivery.Status.FAILED}
_WORDS: Final = {
    Delivery.Status.PENDING: "PENDING",
    Delivery.Status.SENDING: "PENDING",
    Delivery.Status.SUCCEEDED: "SUCCESS",
    Delivery.Status.FAILED: "FAILED",
    Delivery.Status.CANCELLED: "CANCELLED",
}

# An endpoint has eleven attempts at most; each replay begins them anew.
ATTEMPTS_SHOWN: Final = 200
_DELIVERY: Final = {"id": "The delivery's id, which travels as `webhook-id`."}


class DeliveriesView(Endpoint):
    scope = "webhooks"

    @operation(
        id="listWebhookDeliveries",
        tag="Webhooks",
        scope=scope,
        summary="List webhook deliveries",
        description="What was posted, when, how long it took and what was answered; the newest first.",
        query=DeliveriesQuery,
        answer=DeliveryList,
        done="A page of deliveries.",
        errors=("webhook_not_found", "validation_failed"),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(DeliveriesQuery)
        webhook = webhook_of(call, asked.webhook_id) if asked.webhook_id else None
        found = deliveries_of(
            surface=Surface.GATEWAY,
            endpoint_id=webhook.pk if webhook else None,
            event=asked.event,
            status=_STATUSES[asked.status] if asked.status else None,
            before_id=cursor_read(asked.cursor),
            test_only=call.credential.is_test,
        )
        rows = list(found[: asked.limit + 1])
        page = rows[: asked.limit]
        payloads = payloads_of(deliveries=page)
        more = cursor_write(page[-1].pk) if len(rows) > asked.limit else None
        deliveries = [_row(row, payloads[row.pk]) for row in page]
        return json_response(DeliveryList(success=True, deliveries=deliveries, nextCursor=more).json())


class DeliveryView(Endpoint):
    scope = "webhooks"

    @operation(
        id="getWebhookDelivery",
        tag="Webhooks",
        scope=scope,
        summary="Show a webhook delivery",
        description="With every attempt: when, how long it took, what was answered.",
        answer=DeliveryShown,
        done="The delivery.",
        errors=("delivery_not_found",),
        path=_DELIVERY,
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        row = _delivery_of(call, id)
        attempts = [
            AttemptRow(
                number=attempt.number,
                at=attempt.at,
                latencyMs=attempt.latency_ms,
                statusCode=attempt.status_code,
                error=attempt.error or None,
                response=attempt.response_head,
            )
            for attempt in row.attempt_rows.order_by("id")[:ATTEMPTS_SHOWN]
        ]
        shown = _row(row, payloads_of(deliveries=[row])[row.pk])
        return json_response(DeliveryShown(success=True, delivery=shown, attempts=attempts).json())


class DeliveryReplayView(Endpoint):
    scope = "webhooks"

    @operation(
        id="replayWebhookDelivery",
        tag="Webhooks",
        scope=scope,
        summary="Deliver once more",
        description="At once, with the same `webhook-id` and the whole schedule of retries before it.",
        answer=DeliveryReplayed,
        done="It is on its way.",
        status=202,
        errors=("delivery_not_found", "delivery_waiting", "webhook_off", "payload_removed"),
        path=_DELIVERY,
    )
    def post(self, call: Call, id: str) -> HttpResponse:
        row = _delivery_of(call, id)
        delivery_replay(delivery_id=row.pk)
        answer = DeliveryReplayed(success=True, message="The delivery is on its way again.", deliveryId=row.uuid)
        return json_response(answer.json(), 202)


class WebhookReplayView(Endpoint):
    scope = "webhooks"

    @operation(
        id="replayWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Deliver everything since a time again",
        description="In the background, oldest first, each with its old `webhook-id`. By default those that failed; "
        "`failedOnly: false` also those that arrived.",
        body=ReplayInput,
        answer=ReplayShown,
        done="The replay has begun.",
        status=202,
        errors=("webhook_not_found", "webhook_off", "replay_running", "invalid_period"),
        path={"id": "The webhook's id."},
    )
    def post(self, call: Call, id: str) -> HttpResponse:
        given = call.body(ReplayInput)
        replay = replay_start(
            endpoint_id=webhook_of(call, id).pk, since=given.since, until=given.until, failed_only=given.failed_only
        )
        return json_response(ReplayShown(success=True, replay=_replay(replay)).json(), 202)


class ReplayView(Endpoint):
    scope = "webhooks"

    @operation(
        id="getWebhookReplay",
        tag="Webhooks",
        scope=scope,
        summary="Show a replay",
        description="How far it is.",
        answer=ReplayShown,
        done="The replay.",
        errors=("replay_not_found",),
        path={"id": "The replay's id."},
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        uuid = uuid_read(id)
        replay = replay_get(uuid=uuid) if uuid else None
        if replay is None or replay.endpoint.surface != Surface.GATEWAY:
            raise Problem("replay_not_found", "There is no replay with this id.")
        if call.credential.is_test and not replay.endpoint.test_only:
            raise Problem("replay_not_found", "There is no replay with this id.")
        return json_response(ReplayShown(success=True, replay=_replay(replay)).json())


def _delivery_of(call: Call, public_id: str) -> Delivery:
    uuid = uuid_read(public_id)
    if uuid is None:
        raise Problem("delivery_not_found", "There is no delivery with this id.")
    return delivery_get(uuid=uuid, surface=Surface.GATEWAY, test_only=call.credential.is_test)


def _row(row: Delivery, payload: dict[str, Any]) -> DeliveryRow:
    return DeliveryRow(
        id=row.uuid,
        webhookId=row.endpoint.uuid,
        url=row.endpoint.url,
        event=surface_name(Surface.GATEWAY, row.event_type),
        status=_WORDS[Delivery.Status(row.status)],  # type: ignore[arg-type]
        attempts=row.attempts,
        statusCode=row.status_code,
        latencyMs=row.latency_ms,
        error=row.error or None,
        payload=payload,
        createdAt=row.created_at,
        finishedAt=row.finished_at,
    )


def _replay(row: Replay) -> ReplayRow:
    return ReplayRow(
        id=row.uuid,
        webhookId=row.endpoint.uuid,
        status=row.status,  # type: ignore[arg-type]
        since=row.since,
        until=row.until,
        failedOnly=row.failed_only,
        replayed=row.replayed,
        createdAt=row.created_at,
        finishedAt=row.finished_at,
    )
