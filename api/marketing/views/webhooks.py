"""/webhooks: endpoints, their deliveries and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.webhooks import LogsQuery, WebhookChange, WebhookInput
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.webhooks import DeliveryLog, EventCount, StatsData, TestData, WebhookRow
from api.marketing.pagination import PageQuery, page_of
from config.reasons import reason_said
from webhooks_app.catalogue import Surface, surface_name
from webhooks_app.models import Delivery
from webhooks_app.models import Endpoint as Webhook
from webhooks_app.reports import endpoint_stats
from webhooks_app.services.deliveries import deliveries_last, deliveries_of, payloads_of
from webhooks_app.services.endpoints import (
    endpoint_create,
    endpoint_delete,
    endpoint_get,
    endpoint_toggle,
    endpoint_update,
    endpoints_of,
)
from webhooks_app.services.testing import endpoint_test

WebhookList = data_of("WebhookList", list[WebhookRow], meta=True)
WebhookAnswer = data_of("WebhookAnswer", WebhookRow)
WebhookSaved = data_of("WebhookSaved", WebhookRow, message=True)
WebhookLogs = data_of("WebhookLogs", list[DeliveryLog], meta=True)
WebhookStats = data_of("WebhookStatsAnswer", StatsData)
WebhookTested = data_of("WebhookTestAnswer", TestData, message=True)
WebhookEvents = data_of("WebhookEvents", dict[str, Any])
_PATH: Final = {"id": "The webhook's id."}
_OUTCOMES: Final[Mapping[bool, str]] = {True: Delivery.Status.SUCCEEDED, False: Delivery.Status.FAILED}


def event_labels() -> dict[str, str]:
    """The twelve events in the document's order, with their labels in the active language."""
    return {
        "message.sent": pgettext("marketing", "Message sent"),
        "message.delivered": pgettext("marketing", "Message delivered"),
        "message.failed": pgettext("marketing", "Message failed"),
        "campaign.started": pgettext("marketing", "Campaign started"),
        "campaign.completed": pgettext("marketing", "Campaign completed"),
        "campaign.failed": pgettext("marketing", "Campaign failed"),
        "contact.created": pgettext("marketing", "Contact created"),
        "contact.updated": pgettext("marketing", "Contact updated"),
        "contact.deleted": pgettext("marketing", "Contact deleted"),
        "sub_account.created": pgettext("marketing", "Sub-account created"),
        "sub_account.suspended": pgettext("marketing", "Sub-account suspended"),
        "blacklist.added": pgettext("marketing", "Number added to the blacklist"),
    }


class WebhooksView(Endpoint):
    scopes = {"GET": "view_webhooks", "POST": "manage_webhooks"}

    @operation(
        id="listWebhooks",
        tag="Webhooks",
        summary="List webhooks",
        description="The newest first, without their secrets.",
        query=PageQuery,
        answer=WebhookList,
        done="A page of webhooks.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        page, meta = page_of(endpoints_of(surface=Surface.MARKETING), call.query(PageQuery))
        return answer([_shown(_row(webhook)) for webhook in page], meta=meta)

    @operation(
        id="createWebhook",
        tag="Webhooks",
        summary="Add a webhook",
        description="Events are posted to the URL, signed. Without `secret` one of 32 characters is made. Private "
        "addresses are refused.",
        body=WebhookInput,
        answer=WebhookSaved,
        done="Added. The secret is shown only here.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(WebhookInput)
        webhook, secret = endpoint_create(
            surface=Surface.MARKETING,
            url=given.url,
            events=given.events,
            name=given.name,
            secret=given.secret,
            retry_limit=given.retry_limit,
            timeout=given.timeout,
            is_active=given.is_active,
        )
        webhook.refresh_from_db()
        response = answer(_shown(_row(webhook, secret=secret)), message=_("Webhook created"), status=201)
        response["Cache-Control"] = "no-store"
        return response


class EventsView(Endpoint):
    scope = "view_webhooks"

    @operation(
        id="listWebhookEvents",
        tag="Webhooks",
        summary="List the events",
        description="Event -> its name in the caller's language.",
        answer=WebhookEvents,
        done="The events.",
    )
    def get(self, call: Call) -> HttpResponse:
        return answer(event_labels())


class WebhookView(Endpoint):
    scopes = {"GET": "view_webhooks", "PUT": "manage_webhooks", "DELETE": "manage_webhooks"}

    @operation(
        id="getWebhook",
        tag="Webhooks",
        summary="Show a webhook",
        description="With its last ten deliveries.",
        answer=WebhookAnswer,
        done="The webhook.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        webhook = _webhook_of(id)
        return answer(_shown(_row(webhook, logs=_logs(deliveries_last(endpoint_id=webhook.pk)))))

    @operation(
        id="updateWebhook",
        tag="Webhooks",
        summary="Change a webhook",
        description="Changes what is given. An old secret goes on signing for a day next to a new one.",
        body=WebhookChange,
        answer=WebhookSaved,
        done="Changed.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def put(self, call: Call, id: int) -> HttpResponse:
        given = call.body(WebhookChange)
        webhook = endpoint_update(
            endpoint_id=_webhook_of(id).pk,
            url=given.url,
            events=given.events,
            name=given.name,
            secret=given.secret,
            retry_limit=given.retry_limit,
            timeout=given.timeout,
            is_active=given.is_active,
        )
        return answer(_shown(_row(webhook)), message=_("Webhook updated"))

    @operation(
        id="deleteWebhook",
        tag="Webhooks",
        summary="Delete a webhook",
        description="Nothing is delivered to it any more.",
        answer=Nothing,
        done="Deleted.",
        status=204,
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        endpoint_delete(endpoint_id=_webhook_of(id).pk)
        return HttpResponse(status=204)


class WebhookTestView(Endpoint):
    scope = "manage_webhooks"

    @operation(
        id="testWebhook",
        tag="Webhooks",
        summary="Test a webhook",
        description="Posts a signed `webhook.test` now and says what was answered. A receiver that refuses is no error "
        "of this request: see `success`.",
        answer=WebhookTested,
        done="How it went.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        tested = endpoint_test(endpoint_id=_webhook_of(id).pk)
        data = TestData(
            success=tested.succeeded,
            status_code=tested.status_code,
            response_time_ms=tested.latency_ms,
            response=tested.response_head,
            error=reason_said(tested.error) or None,
        )
        return answer(data, message=_("Webhook test delivered") if tested.succeeded else _("Webhook test failed"))


class WebhookToggleView(Endpoint):
    scope = "manage_webhooks"

    @operation(
        id="toggleWebhook",
        tag="Webhooks",
        summary="Switch a webhook on or off",
        description="The other way round than it is. What waits goes on when it is on again.",
        answer=WebhookSaved,
        done="Switched.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        webhook = endpoint_toggle(endpoint_id=_webhook_of(id).pk)
        message = _("Webhook switched on") if webhook.is_active else _("Webhook switched off")
        return answer(_shown(_row(webhook)), message=message)


class WebhookLogsView(Endpoint):
    scope = "view_webhooks"

    @operation(
        id="listWebhookLogs",
        tag="Webhooks",
        summary="List deliveries",
        description="The newest first.",
        query=LogsQuery,
        answer=WebhookLogs,
        done="A page of deliveries.",
        errors=("webhook_not_found", "validation_failed"),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        asked = call.query(LogsQuery)
        rows = deliveries_of(
            surface=Surface.MARKETING,
            endpoint_id=_webhook_of(id).pk,
            event=asked.event,
            status=None if asked.success is None else _OUTCOMES[asked.success],
        )
        page, meta = page_of(rows, asked)
        return answer(_logs(page), meta=meta)


class WebhookStatsView(Endpoint):
    scope = "view_webhooks"

    @operation(
        id="getWebhookStats",
        tag="Webhooks",
        summary="Statistics of a webhook",
        description="Finished deliveries of all days.",
        answer=WebhookStats,
        done="The numbers.",
        errors=("webhook_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        stats = endpoint_stats(endpoint=_webhook_of(id))
        data = StatsData(
            total_triggers=stats.total,
            successful=stats.successful,
            failed=stats.failed,
            success_rate=stats.success_rate,
            last_triggered_at=stats.last_triggered_at,
            average_response_time_ms=stats.average_latency_ms,
            events_by_type=[EventCount(event, count) for event, count in stats.by_event],
        )
        return answer(data)


def _webhook_of(id: int) -> Webhook:
    return endpoint_get(surface=Surface.MARKETING, id=id)


def _row(webhook: Webhook, *, secret: str | None = None, logs: list[DeliveryLog] | None = None) -> WebhookRow:
    times = [moment for moment in (webhook.last_success_at, webhook.last_failure_at) if moment]
    return WebhookRow(
        id=webhook.pk,
        name=webhook.name,
        url=webhook.url,
        events=list(webhook.events),
        retry_limit=webhook.retry_limit,
        timeout=webhook.timeout,
        is_active=webhook.is_active,
        disabled_reason=reason_said(webhook.disabled_reason) or None,
        last_triggered_at=max(times) if times else None,
        created_at=webhook.created_at,
        secret=secret,
        logs=logs,
    )


def _shown(row: WebhookRow) -> dict[str, object]:
    """Without the members that are only told in some answers."""
    shown = {field.name: getattr(row, field.name) for field in fields(row)}
    return {name: value for name, value in shown.items() if name not in WebhookRow.left_out or value is not None}


def _logs(deliveries: list[Delivery]) -> list[DeliveryLog]:
    payloads = payloads_of(deliveries=deliveries)
    return [
        DeliveryLog(
            id=delivery.pk,
            event=surface_name(Surface.MARKETING, delivery.event_type),
            success=delivery.status == Delivery.Status.SUCCEEDED,
            status=delivery.status,
            status_code=delivery.status_code,
            attempts=delivery.attempts,
            response_time_ms=delivery.latency_ms,
            error=reason_said(delivery.error) or None,
            payload=payloads[delivery.pk],
            triggered_at=delivery.created_at,
            finished_at=delivery.finished_at,
        )
        for delivery in deliveries
    ]
