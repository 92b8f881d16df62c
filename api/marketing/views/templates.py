"""/templates: texts to use again."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.templates import PreviewInput, TemplateChange, TemplateInput, TemplatesQuery
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.templates import PreviewData, TemplateRow
from api.marketing.pagination import page_of
from campaigns.models import MarketingTemplate
from campaigns.personalisation import variables_of
from campaigns.services.text_templates import (
    templates_of,
    text_template_create,
    text_template_delete,
    text_template_get,
    text_template_preview,
    text_template_update,
    text_template_use,
)
from tenants.models import Membership

TemplateList = data_of("TemplateList", list[TemplateRow], meta=True)
TemplateAnswer = data_of("TemplateAnswer", TemplateRow)
TemplateSaved = data_of("TemplateSaved", TemplateRow, message=True)
PreviewAnswer = data_of("TemplatePreviewAnswer", PreviewData)
Categories = data_of("TemplateCategories", dict[str, Any])
_PATH = {"id": "The template's id."}
_SEE_ALL = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})


class TemplatesView(Endpoint):
    scopes = {"GET": "view_templates", "POST": "manage_templates"}

    @operation(
        id="listTemplates",
        tag="Templates",
        summary="List templates",
        description="Public ones and one's own, the newest first.",
        query=TemplatesQuery,
        answer=TemplateList,
        done="A page of templates.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(TemplatesQuery)
        rows = templates_of(viewer=_viewer(call))
        if asked.category is not None:
            rows = rows.filter(category=asked.category)
        if asked.is_public is not None:
            rows = rows.filter(is_public=asked.is_public)
        page, meta = page_of(rows, asked)
        return answer([_row(template) for template in page], meta=meta)

    @operation(
        id="createTemplate",
        tag="Templates",
        summary="Add a template",
        description="Variables: `{nom}`, `{prenom}`, `{email}`, `{telephone}`, `{custom.field}`, each with a fallback: "
        "`{prenom|client}`.",
        body=TemplateInput,
        answer=TemplateSaved,
        done="Added.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(TemplateInput)
        template = text_template_create(
            name=given.name,
            content=given.content,
            category=given.category,
            is_public=given.is_public,
            membership_id=call.credential.membership_id,
        )
        return answer(_row(template), message=_("Template created"), status=201)


class CategoriesView(Endpoint):
    scope = "view_templates"

    @operation(
        id="listTemplateCategories",
        tag="Templates",
        summary="List the categories",
        description="Category -> its name in the caller's language.",
        answer=Categories,
        done="The categories.",
    )
    def get(self, call: Call) -> HttpResponse:
        return answer({value: str(label) for value, label in MarketingTemplate.Category.choices})


class TemplateView(Endpoint):
    scopes = {"GET": "view_templates", "PUT": "manage_templates", "DELETE": "manage_templates"}

    @operation(
        id="getTemplate",
        tag="Templates",
        summary="Show a template",
        description="One template.",
        answer=TemplateAnswer,
        done="The template.",
        errors=("template_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(_row(text_template_get(template_id=id, viewer=_viewer(call))))

    @operation(
        id="updateTemplate",
        tag="Templates",
        summary="Change a template",
        description="Changes what is given.",
        body=TemplateChange,
        answer=TemplateSaved,
        done="Changed.",
        errors=("template_not_found",),
        path=_PATH,
    )
    def put(self, call: Call, id: int) -> HttpResponse:
        given = call.body(TemplateChange)
        names = ("name", "content", "category", "is_public")
        changes = {name: value for name in names if (value := getattr(given, name)) is not None}
        template = text_template_update(template_id=id, viewer=_viewer(call), **changes)
        return answer(_row(template), message=_("Template updated"))

    @operation(
        id="deleteTemplate",
        tag="Templates",
        summary="Delete a template",
        description="What was sent with it stays.",
        answer=Nothing,
        done="Deleted.",
        status=204,
        errors=("template_not_found",),
        path=_PATH,
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        text_template_delete(template_id=id, viewer=_viewer(call))
        return HttpResponse(status=204)


class PreviewView(Endpoint):
    scope = "view_templates"

    @operation(
        id="previewTemplate",
        tag="Templates",
        summary="Preview a template",
        description="The text filled with the sample values, and what it costs in segments.",
        body=PreviewInput,
        answer=PreviewAnswer,
        done="The text.",
        errors=("template_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        given = call.body(PreviewInput)
        found = text_template_preview(template_id=id, viewer=_viewer(call), sample_data=given.sample_data or {})
        data = PreviewData(
            template_id=found.template.pk,
            original=found.template.content,
            preview=found.text,
            variables=found.variables,
            sms_count=found.cost.segments,
            encoding=found.cost.encoding,
            length=len(found.text),
        )
        return answer(data)


class UseView(Endpoint):
    scope = "view_templates"

    @operation(
        id="useTemplate",
        tag="Templates",
        summary="Count a use of a template",
        description="Adds one to `usage_count`.",
        answer=TemplateSaved,
        done="The template with its new count.",
        errors=("template_not_found",),
        path=_PATH,
    )
    def post(self, call: Call, id: int) -> HttpResponse:
        template = text_template_use(template_id=id, viewer=_viewer(call))
        return answer(_row(template), message=_("Template used"))


def _viewer(call: Call) -> int | None:
    return None if call.credential.role in _SEE_ALL else call.credential.membership_id


def _row(template: MarketingTemplate) -> TemplateRow:
    return TemplateRow(
        id=template.pk,
        name=template.name,
        content=template.content,
        category=template.category,
        is_public=template.is_public,
        usage_count=template.usage_count,
        variables=variables_of(template.content),
        created_at=template.created_at,
        updated_at=template.updated_at,
    )
