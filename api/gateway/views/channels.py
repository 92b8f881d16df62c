"""GET /auth/channels and POST /auth/onboard/channel."""

from __future__ import annotations

from typing import Final, get_args

from django.http import HttpResponse

from api.bodies import BodyInvalid, FieldProblem
from api.gateway.documents import PROVIDER_ERRORS, operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import ChannelInput
from api.gateway.outputs.channels import ChannelCreated, ChannelList, ChannelRow, ChannelType
from api.gateway.views.customers import customer_of
from api.problems import Problem
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.services.onboarding import SANDBOX_TOKEN, channel_onboard
from tenants.models import Organization

MASK: Final = "••••••••"
_TYPES: Final = get_args(ChannelType)


class ChannelListView(Endpoint):
    scope = "channels:read"

    @operation(
        id="listChannels",
        tag="Channels",
        scope=scope,
        summary="List the channels",
        description="Every channel that the key reaches, by name. Access tokens are masked.",
        answer=ChannelList,
        done="The channels.",
    )
    def get(self, call: Call) -> HttpResponse:
        channels = Channel.objects.select_related("customer").order_by("name", "pk")
        if call.credential.is_test:
            channels = channels.filter(is_sandbox=True)
        return json_response(ChannelList(success=True, channels=[channel_output(row) for row in channels]).json())


class OnboardView(Endpoint):
    scope = "channels:write"
    field_names = {"external_id": "phoneId"}

    @operation(
        id="onboardChannel",
        tag="Channels",
        scope=scope,
        summary="Connect a channel by hand",
        description="Connects a number, page or account with a token that you have already. The token is checked at "
        "Meta before anything is stored. Tokens that begin with `sandbox` connect to the built-in simulator.",
        body=ChannelInput,
        answer=ChannelCreated,
        done="The channel is connected.",
        status=201,
        errors=(
            *("token_refused", "address_missing", "invalid_reference", "reference_taken", "channel_taken"),
            *("customer_not_found", "network_not_supported", "sandbox_only", "plan_limit_reached"),
            *PROVIDER_ERRORS,
        ),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(ChannelInput)
        if call.credential.is_test and not given.token.startswith(SANDBOX_TOKEN):
            text = "A test key connects sandbox channels only."
            raise Problem("sandbox_only", text, [FieldProblem("systemUserAccessToken", "sandbox_only", text)])
        if given.type == "WHATSAPP" and not given.phone_id and not given.account_id:
            raise BodyInvalid([FieldProblem("phoneId", "required", "phoneId or wabaId is required for WHATSAPP.")])
        channel = channel_onboard(
            organization=Organization.objects.get(pk=call.credential.organization.id),
            network=given.type,
            reference=given.id,
            name=given.name,
            token=given.token,
            account_id=given.account_id or "",
            external_id=given.phone_id or "",
            customer=customer_of(given.customer_id) if given.customer_id else None,
        )
        answer = ChannelCreated(
            success=True, message="Channel manually onboarded successfully.", channel=channel_output(channel)
        )
        return json_response(answer.json(), 201)


def channel_type(kind: str) -> ChannelType:
    """The network of a channel's kind, in this API's words."""
    network = driver_of(kind).network
    found: ChannelType = network if network in _TYPES else "OTHER"  # type: ignore[assignment]
    return found


def channel_output(channel: Channel) -> ChannelRow:
    """A channel as this API shows it; `customer` should be loaded."""
    rate = channel.rate_per_second
    return ChannelRow(
        id=channel.reference or str(channel.uuid),
        uuid=channel.uuid,
        type=channel_type(channel.kind),
        name=channel.name,
        status=channel.status,
        statusReason=channel.status_reason or None,
        customerId=channel.customer.uuid if channel.customer else None,
        phoneNumber=channel.address or None,
        phoneId=channel.external_id,
        wabaId=channel.account_id or None,
        systemUserAccessToken=MASK if (channel.secrets or {}).get("access_token") else None,
        qualityRating=channel.quality_rating or None,
        messagingLimit=channel.config.get("messaging_limit"),
        tokenExpiresAt=channel.token_expires_at,
        tokenProblem=channel.token_problem or None,
        messagesPerSecond=driver_of(channel.kind).default_rate if rate is None else rate,
        sandbox=channel.is_sandbox,
        createdAt=channel.created_at,
    )
