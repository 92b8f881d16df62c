"""/webhooks: registered, listed, changed, tested, their secrets changed, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpResponse

from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import SecretChange, WebhookChange, WebhookInput
from api.gateway.outputs.webhooks import (
    SecretChanged,
    WebhookCreated,
    WebhookDeleted,
    WebhookList,
    WebhookRow,
    WebhookShown,
    WebhookTested,
)
from api.problems import Problem
from webhooks_app.catalogue import Surface
from webhooks_app.models import Endpoint as Webhook
from webhooks_app.services.endpoints import (
    endpoint_create,
    endpoint_delete,
    endpoint_get,
    endpoint_rotate_secret,
    endpoint_update,
    endpoints_of,
)
from webhooks_app.services.testing import endpoint_test

_PATH: Final = {"id": "The webhook's id."}


class WebhooksView(Endpoint):
    scope = "webhooks"

    @operation(
        id="createWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Register a webhook",
        description="Events of the account are posted to the URL, signed. Private addresses are refused. How to verify "
        "the signature is in the guide to webhooks. One that a test key registers hears of sandbox channels only.",
        body=WebhookInput,
        answer=WebhookCreated,
        done="The webhook. Its secret is shown only here.",
        status=201,
        errors=("invalid_webhook", "invalid_secret", "too_many_webhooks"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(WebhookInput)
        webhook, secret = endpoint_create(
            surface=Surface.GATEWAY,
            url=given.url,
            events=given.events,
            secret=given.secret,
            test_only=call.credential.is_test,
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
        rows = [_output(row) for row in endpoints_of(surface=Surface.GATEWAY, test_only=call.credential.is_test)]
        return json_response(WebhookList(success=True, webhooks=rows).json())


class WebhookView(Endpoint):
    scope = "webhooks"

    @operation(
        id="getWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Show a webhook",
        description="Without its secret.",
        answer=WebhookShown,
        done="The webhook.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        return json_response(WebhookShown(success=True, webhook=_output(webhook_of(call, id))).json())

    @operation(
        id="updateWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Change a webhook",
        description="Changes what is given and keeps the rest. One that was switched off after failures goes on where "
        "it stopped when it is switched on again.",
        body=WebhookChange,
        answer=WebhookShown,
        done="The webhook as it is now.",
        errors=("webhook_not_found", "invalid_webhook"),
        path=_PATH,
    )
    def patch(self, call: Call, id: str) -> HttpResponse:
        given = call.body(WebhookChange)
        webhook = endpoint_update(
            endpoint_id=webhook_of(call, id).pk, url=given.url, events=given.events, is_active=given.is_active
        )
        return json_response(WebhookShown(success=True, webhook=_output(webhook)).json())

    @operation(
        id="deleteWebhook",
        tag="Webhooks",
        scope=scope,
        summary="Delete a webhook",
        description="Nothing is delivered to it any more; what waits is cancelled.",
        answer=WebhookDeleted,
        done="Deleted.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def delete(self, call: Call, id: str) -> HttpResponse:
        webhook = webhook_of(call, id)
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
        path=_PATH,
    )
    def post(self, call: Call, id: str) -> HttpResponse:
        tested = endpoint_test(endpoint_id=webhook_of(call, id).pk)
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


class WebhookSecretView(Endpoint):
    scope = "webhooks"
    field_names = {"overlap": "overlapHours"}

    @operation(
        id="rotateWebhookSecret",
        tag="Webhooks",
        scope=scope,
        summary="Change a webhook's secret",
        description="Deliveries are signed with the new secret at once, and with the old one as well until "
        "`previousUntil`, so that no delivery is refused while you change it on your side. The body may be left out.",
        body=SecretChange,
        answer=SecretChanged,
        done="The new secret, shown only here.",
        errors=("webhook_not_found", "invalid_secret", "secret_unchanged"),
        path=_PATH,
    )
    def post(self, call: Call, id: str) -> HttpResponse:
        given = call.body(SecretChange) if call.request.body.strip() else SecretChange()
        webhook = webhook_of(call, id)
        secret = endpoint_rotate_secret(
            endpoint_id=webhook.pk, secret=given.secret, overlap=timedelta(hours=given.overlap_hours)
        )
        changed = SecretChanged(success=True, secret=secret, previousUntil=webhook_of(call, id).previous_until)
        response = json_response(changed.json())
        response["Cache-Control"] = "no-store"
        return response


def webhook_of(call: Call, public_id: str) -> Webhook:
    """The account's webhook with this id; a test key sees those of test keys only.

    Raises `Problem` or `NotFound` webhook_not_found.
    """
    uuid = uuid_read(public_id)
    if uuid is None:
        raise Problem("webhook_not_found", "There is no webhook with this id.")
    return endpoint_get(surface=Surface.GATEWAY, uuid=uuid, test_only=call.credential.is_test)


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
