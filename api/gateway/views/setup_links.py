"""POST and GET /setup-links, GET and DELETE /setup-links/{id}."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse

from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import PageQuery, SetupLinkInput
from api.gateway.outputs.customers import NewSetupLink, SetupLinkCreated, SetupLinkList, SetupLinkRow, SetupLinkShown
from api.gateway.pagination import cursor_read, cursor_write
from api.gateway.views.customers import customer_of
from api.problems import Problem
from messaging.models import SetupLink
from messaging.services.setup_links import setup_link_create, setup_link_revoke, setup_link_state


class SetupLinksView(Endpoint):
    scopes = {"GET": "channels:read", "POST": "channels:write"}

    @operation(
        id="createSetupLink",
        tag="Customers",
        scope=scopes["POST"],
        summary="Make a setup link",
        description="A link for one customer, who connects one channel there by Meta's embedded sign-up. It works "
        "until it has been completed once, has expired or is revoked. Afterwards the customer is sent to "
        "`redirectUrl` with the signed result.",
        body=SetupLinkInput,
        answer=SetupLinkCreated,
        done="The link. Token and secret are shown only here.",
        status=201,
        errors=("customer_not_found", "invalid_redirect", "network_not_supported", "signup_not_configured"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SetupLinkInput)
        made = setup_link_create(
            organization=call.credential.organization,
            customer=customer_of(given.customer_id),
            redirect_url=given.redirect_url or "",
            hours=given.expires_in_hours,
            network=given.type or "",
            is_sandbox=given.sandbox or call.credential.is_test,
        )
        link = NewSetupLink(
            id=str(made.link.uuid),
            token=made.token,
            url=made.url,
            signingSecret=made.signing_secret,
            customerId=str(made.link.customer.uuid),
            redirectUrl=made.link.redirect_url or None,
            sandbox=made.link.is_sandbox,
            expiresAt=made.link.expires_at,
        )
        response = json_response(SetupLinkCreated(success=True, setupLink=link).json(), 201)
        response["Cache-Control"] = "no-store"
        return response

    @operation(
        id="listSetupLinks",
        tag="Customers",
        scope=scopes["GET"],
        summary="List the setup links",
        description="The newest first, with how far each one got. Tokens are not shown again.",
        query=PageQuery,
        answer=SetupLinkList,
        done="A page of links.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(PageQuery)
        before = cursor_read(asked.cursor)
        links = _visible(call)
        if before is not None:
            links = links.filter(pk__lt=before)
        rows = list(links[: asked.limit + 1])
        page = rows[: asked.limit]
        more = cursor_write(page[-1].pk) if len(rows) > asked.limit else None
        answer = SetupLinkList(success=True, setupLinks=[_output(row) for row in page], nextCursor=more)
        return json_response(answer.json())


class SetupLinkView(Endpoint):
    scopes = {"GET": "channels:read", "DELETE": "channels:write"}

    @operation(
        id="getSetupLink",
        tag="Customers",
        scope=scopes["GET"],
        summary="Show a setup link",
        description="How far it got, the last problem in words, and the channel that came of it.",
        answer=SetupLinkShown,
        done="The link.",
        errors=("setup_link_not_found",),
        path={"id": "The link's id."},
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        return json_response(SetupLinkShown(success=True, setupLink=_output(_link_of(call, id))).json())

    @operation(
        id="revokeSetupLink",
        tag="Customers",
        scope=scopes["DELETE"],
        summary="Revoke a setup link",
        description="The link stops working at once. A channel that was connected by it stays.",
        answer=SetupLinkShown,
        done="The link, revoked.",
        errors=("setup_link_not_found", "setup_link_closed"),
        path={"id": "The link's id."},
    )
    def delete(self, call: Call, id: str) -> HttpResponse:
        link = _link_of(call, id)
        setup_link_revoke(link=link)
        return json_response(SetupLinkShown(success=True, setupLink=_output(link)).json())


def _visible(call: Call) -> QuerySet[SetupLink]:
    links = SetupLink.objects.select_related("customer", "channel").order_by("-pk")
    return links.filter(is_sandbox=True) if call.credential.is_test else links


def _link_of(call: Call, public_id: str) -> SetupLink:
    uuid = uuid_read(public_id)
    link = _visible(call).filter(uuid=uuid).first() if uuid else None
    if link is None:
        raise Problem("setup_link_not_found", "There is no setup link with this id.")
    return link


def _output(link: SetupLink) -> SetupLinkRow:
    state = setup_link_state(link)
    channel = link.channel
    return SetupLinkRow(
        id=str(link.uuid),
        customerId=str(link.customer.uuid),
        status=state,  # type: ignore[arg-type]
        step=link.step if state == "open" else None,
        error=link.error or None,
        redirectUrl=link.redirect_url or None,
        channelId=(channel.reference or str(channel.uuid)) if channel else None,
        sandbox=link.is_sandbox,
        createdAt=link.created_at,
        expiresAt=link.expires_at,
        completedAt=link.completed_at,
    )
