"""GET /providers and /providers/{id}."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from api.body_types import uuid_read
from api.problems import Problem
from api.transactional.documents import operation
from api.transactional.endpoint import Call, Endpoint, json_response
from api.transactional.outputs import DailyStats, ProviderDetail, ProviderList, ProviderSummary
from messaging.models import Channel
from messaging.reports import channel_day, channel_risks, channel_warmup_day
from messaging.services.channels import ChannelSnapshot, channel_by_uuid
from tenants.errors import NotFound
from tenants.services.keys import Credential


def provider_of(credential: Credential, uuid: UUID) -> ChannelSnapshot:
    """The channel with this id. A test key does not see that live channels exist. Raises `Problem` (404)."""
    try:
        channel = channel_by_uuid(schema=credential.organization.schema_name, uuid=uuid)
    except NotFound as error:
        raise _no_provider() from error
    if credential.is_test and not channel.is_sandbox:
        raise _no_provider()
    return channel


class ProviderListView(Endpoint):
    scope = "providers:read"

    @operation(
        id="listProviders",
        tag="Providers",
        scope=scope,
        summary="List the providers",
        description="The numbers of your organisation that this key reaches. Test keys see sandbox providers only.",
        answer=ProviderList,
        done="The providers, by name.",
    )
    def get(self, call: Call) -> HttpResponse:
        channels = list(_visible(call.credential))
        risks = channel_risks(channels=channels)
        summaries = [ProviderSummary(**_summary(channel, risks[channel.pk].score)) for channel in channels]
        return json_response(ProviderList(summaries).json())


class ProviderView(Endpoint):
    scope = "providers:read"

    @operation(
        id="getProvider",
        tag="Providers",
        scope=scope,
        summary="Show a provider",
        description="One provider with its figures of today.",
        answer=ProviderDetail,
        done="The provider.",
        errors=("provider_not_found",),
        path={"id": "Id of the provider."},
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        uuid = uuid_read(id)
        channel = _visible(call.credential).filter(uuid=uuid).first() if uuid else None
        if channel is None:
            raise _no_provider()
        day = channel_day(channel=channel)
        stats = DailyStats(
            date=day.date,
            accepted=day.accepted,
            sent=day.sent,
            delivered=day.delivered,
            failed=day.failed,
            received=day.received,
            limit=day.limit,
            remaining=day.remaining,
        )
        risk = channel_risks(channels=[channel])[channel.pk].score
        return json_response(ProviderDetail(**_summary(channel, risk), dailyStats=stats).json())


def _visible(credential: Credential) -> Any:
    channels = Channel.objects.order_by("name", "pk")
    return channels.filter(is_sandbox=True) if credential.is_test else channels


def _summary(channel: Channel, risk: int) -> dict[str, Any]:
    return {
        "id": channel.uuid,
        "name": channel.name,
        "phoneNumber": channel.address or None,
        "status": channel.status,
        "warmupDay": channel_warmup_day(channel=channel),
        "riskScore": risk,
    }


def _no_provider() -> Problem:
    return Problem("provider_not_found", "There is no provider with this id.")
