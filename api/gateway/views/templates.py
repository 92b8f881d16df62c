"""GET and POST /templates, DELETE /templates/{name}."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse

from api.bodies import BodyInvalid, FieldProblem
from api.gateway.documents import PROVIDER_ERRORS, operation
from api.gateway.endpoint import Call, Endpoint, channel_row_of, json_response
from api.gateway.inputs import TemplateDeleteQuery, TemplateInput, TemplatesQuery
from api.gateway.outputs.templates import SyncCounts, TemplateCreated, TemplateDeleted, TemplateList, TemplateRow
from messaging.models import Channel, MessageTemplate
from messaging.models.template import GONE
from messaging.services.templates import template_create, template_delete, templates_of, templates_sync

# An account has 6,000 templates at most.
SHOWN: Final = 6_000
NAME_LENGTH: Final = 512


class TemplatesView(Endpoint):
    scopes = {"GET": "templates:read", "POST": "templates:write"}

    @operation(
        id="createTemplate",
        tag="Templates",
        scope=scopes["POST"],
        summary="Create a template",
        description="Checks the template against all of Meta's rules, names every problem at once, and submits it for "
        "review. The event `template.status_changed` tells what became of it.",
        body=TemplateInput,
        answer=TemplateCreated,
        done="Submitted for Meta's review.",
        status=201,
        errors=(
            *("channel_not_found", "template_invalid", "template_exists", "templates_not_supported"),
            *PROVIDER_ERRORS,
        ),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(TemplateInput)
        template = template_create(
            channel=channel_row_of(call.credential, given.channel_id),
            name=given.name,
            language=given.language,
            category=given.category,
            components=given.components,
            parameter_format=given.parameter_format,
        )
        answer = TemplateCreated(
            success=True, message="Template submitted for Meta review.", template=_output(template)
        )
        return json_response(answer.json(), 201)

    @operation(
        id="listTemplates",
        tag="Templates",
        scope=scopes["GET"],
        summary="List the templates",
        description="By name. With `sync=true` (and a `channelId`) they are read from Meta first, all pages; templates "
        "that are gone there disappear here.",
        query=TemplatesQuery,
        answer=TemplateList,
        done="The templates.",
        errors=("channel_not_found", "validation_failed", "templates_not_supported", *PROVIDER_ERRORS),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(TemplatesQuery)
        channel = channel_row_of(call.credential, asked.channel_id) if asked.channel_id else None
        synced = None
        if asked.sync == "true":
            if channel is None:
                raise BodyInvalid([FieldProblem("channelId", "required", "sync=true needs the channel to read.")])
            outcome = templates_sync(channel=channel)
            synced = SyncCounts(outcome.added, outcome.changed, outcome.removed)
        if channel is not None:
            found = templates_of(channel=channel)
        else:
            found = MessageTemplate.objects.exclude(status__in=GONE).order_by("name", "language", "pk")
            if call.credential.is_test:
                accounts = Channel.objects.filter(is_sandbox=True).values("account_id")
                found = found.filter(account_id__in=accounts)
        rows = [_output(row) for row in found[:SHOWN]]
        return json_response(TemplateList(success=True, templates=rows, synced=synced).json())


class TemplateView(Endpoint):
    scope = "templates:write"

    @operation(
        id="deleteTemplate",
        tag="Templates",
        scope=scope,
        summary="Delete a template",
        description="Deletes the template here and at Meta, in all its languages. Meta does not allow the name of "
        "an approved template again for 30 days.",
        query=TemplateDeleteQuery,
        answer=TemplateDeleted,
        done="Deleted.",
        errors=(
            *("channel_not_found", "template_not_found", "validation_failed", "templates_not_supported"),
            *PROVIDER_ERRORS,
        ),
        path={"name": "The template's name."},
    )
    def delete(self, call: Call, name: str) -> HttpResponse:
        asked = call.query(TemplateDeleteQuery)
        if not 1 <= len(name) <= NAME_LENGTH or "\0" in name:
            raise BodyInvalid([FieldProblem("name", "invalid_format", f"1 to {NAME_LENGTH} characters are possible.")])
        languages = template_delete(channel=channel_row_of(call.credential, asked.channel_id), name=name)
        text = f"Template {name} is deleted in all its languages"
        answer = TemplateDeleted(
            success=True,
            message=f"{text} ({', '.join(languages)})." if languages else f"{text}.",
            name=name,
            languages=languages,
        )
        return json_response(answer.json())


def _output(template: MessageTemplate) -> TemplateRow:
    return TemplateRow(
        id=template.provider_id,
        uuid=template.uuid,
        name=template.name,
        language=template.language,
        category=template.category,
        previousCategory=template.previous_category or None,
        nextCategory=template.next_category or None,
        status=template.status,
        reason=template.reason or None,
        quality=template.quality or None,
        parameterFormat=template.parameter_format,
        components=template.components,
        createdAt=template.created_at,
        statusAt=template.status_at,
    )
