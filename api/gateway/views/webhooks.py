"""POST and GET /webhooks, POST /webhooks/{id}/test, GET /webhook-deliveries."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse

from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import DeliveriesQuery, WebhookInput
from api.gateway.outputs.webhooks import (
    DeliveryList,
    DeliveryRow,
    WebhookCreated,
    WebhookDeleted,
    WebhookList,
    WebhookRow,
    WebhookTested,
)
from api.gateway.pagination import cursor_read, cursor_write
from api.problems import Problem
from webhooks_app.catalogue import Surface, surface_name
from webhooks_app.models import Delivery
from webhooks_app.models import Endpoint as Webhook
from webhooks_app.services.deliveries import deliveries_of, payloads_of
from webhooks_app.services.endpoints import endpoint_create, endpoint_delete, endpoint_get, endpoints_of
from webhooks_app.services.testing import endpoint_test

_STATUSES: Final = {"SUCCESS": Delivery.Status.SUCCEEDED, "FAILED": Delivery.Status.FAILED}
_WORDS: Final = {
    Delivery.Status.PENDING: "PENDING",
    Delivery.Status.SENDING: "PENDING",
    Delivery.Status.SUCCEEDED: "SUCCESS",
    Delivery.Status.FAILED: "FAILED",
    Delivery.Status.CANCELLED: "CANCELLED",
}


class WebhooksView(Endpoint):
    scope = "webhooks"

    @operation(
        id="createWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Register a webhook",
        description="Events of the account are posted to the URL, signed. Private addresses are refused. How to verify "
        "the signature is in the guide to webhooks.",
        body=WebhookInput,
        answer=WebhookCreated,
        done="The webhook. Its secret is shown only here.",
        status=201,
        errors=("invalid_webhook", "too_many_webhooks"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(WebhookInput)
        webhook, secret = endpoint_create(
            surface=Surface.GATEWAY, url=given.url, events=given.events, secret=given.secret
        )
        answer = WebhookCreated(success=True, message="Webhook registered.", webhook=_output(webhook), secret=secret)
        response = json_response(answer.json(), 201)
        response["Cache-Control"] = "no-store"
        return response

    @operation(
        id="listWebhooks",
        tag="Webhooks",
        scope=scope,
        summary="List the webhooks",
        description="The newest first, without their secrets.",
        answer=WebhookList,
        done="The webhooks.",
    )
    def get(self, call: Call) -> HttpResponse:
        rows = [_output(row) for row in endpoints_of(surface=Surface.GATEWAY)]
        return json_response(WebhookList(success=True, webhooks=rows).json())


class WebhookView(Endpoint):
    scope = "webhooks"

    @operation(
        id="deleteWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Delete a webhook",
        description="Nothing is delivered to it any more; what waits is cancelled.",
        answer=WebhookDeleted,
        done="Deleted.",
        errors=("webhook_not_found",),
        path={"id": "The webhook's id."},
    )
    def delete(self, call: Call, id: str) -> HttpResponse:
        webhook = _webhook_of(id)
        endpoint_delete(endpoint_id=webhook.pk)
        return json_response(WebhookDeleted(success=True, message="Webhook deleted.").json())


class WebhookTestView(Endpoint):
    scope = "webhooks"

    @operation(
        id="testWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Test a webhook",
        description="Posts a signed `webhook.test` event now and says how long it took and what was answered.",
        answer=WebhookTested,
        done="How it went; a receiver that refuses is no error of this request.",
        errors=("webhook_not_found",),
        path={"id": "The webhook's id."},
    )
    def post(self, call: Call, id: str) -> HttpResponse:
        tested = endpoint_test(endpoint_id=_webhook_of(id).pk)
        answer = WebhookTested(
            success=True,
            delivered=tested.succeeded,
            statusCode=tested.status_code,
            latencyMs=tested.latency_ms,
            error=tested.error or None,
            response=tested.response_head,
            deliveryId=tested.delivery.uuid,
        )
        return json_response(answer.json())


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
        webhook = _webhook_of(asked.webhook_id) if asked.webhook_id else None
        found = deliveries_of(
            surface=Surface.GATEWAY,
            endpoint_id=webhook.pk if webhook else None,
            event=asked.event,
            status=_STATUSES[asked.status] if asked.status else None,
            before_id=cursor_read(asked.cursor),
        )
        rows = list(found[: asked.limit + 1])
        page = rows[: asked.limit]
        payloads = payloads_of(deliveries=page)
        more = cursor_write(page[-1].pk) if len(rows) > asked.limit else None
        deliveries = [
            DeliveryRow(
                id=row.uuid,
                webhookId=row.endpoint.uuid,
                url=row.endpoint.url,
                event=surface_name(Surface.GATEWAY, row.event_type),
                status=_WORDS[Delivery.Status(row.status)],  # type: ignore[arg-type]
                attempts=row.attempts,
                statusCode=row.status_code,
                latencyMs=row.latency_ms,
                error=row.error or None,
                payload=payloads[row.pk],
                createdAt=row.created_at,
                finishedAt=row.finished_at,
            )
            for row in page
        ]
        return json_response(DeliveryList(success=True, deliveries=deliveries, nextCursor=more).json())


def _webhook_of(public_id: str) -> Webhook:
    uuid = uuid_read(public_id)
    if uuid is None:
        raise Problem("webhook_not_found", "There is no webhook with this id.")
    return endpoint_get(surface=Surface.GATEWAY, uuid=uuid)


def _output(webhook: Webhook) -> WebhookRow:
    return WebhookRow(
        id=webhook.uuid,
        url=webhook.url,
        events=list(webhook.events),
        isActive=webhook.is_active,
        disabledReason=webhook.disabled_reason or None,
        createdAt=webhook.created_at,
        lastSuccessAt=webhook.last_success_at,
        lastFailureAt=webhook.last_failure_at,
    )
