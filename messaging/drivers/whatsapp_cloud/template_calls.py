"""The template endpoints of a business account: create, list page by page, delete by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from messaging.drivers.base import Ambiguous, ChannelInfo, HttpRequest, HttpResponse, SendError
from messaging.drivers.meta.graph import authorization, graph_url
from messaging.drivers.templates import CursorLost, TemplateCreated, TemplateDraft, TemplatePage, TemplateState
from messaging.drivers.whatsapp_cloud.errors import ERRORS

_FIELDS: Final = (
    "id,name,language,status,category,components,parameter_format,quality_score,rejected_reason,previous_category"
)
_PAGE: Final = 100
_BAD_CURSOR: Final = "131059"
_INVALID: Final = 100
_NO_SUCH_NAME: Final = 2593002


def build_create(channel: ChannelInfo, version: str, draft: TemplateDraft) -> HttpRequest:
    """POST `/{waba}/message_templates`."""
    body = {
        "name": draft.name,
        "language": draft.language,
        "category": draft.category,
        "parameter_format": draft.parameter_format,
        "components": draft.components,
    }
    headers = authorization(channel) | {"Content-Type": "application/json"}
    return HttpRequest("POST", _url(channel, version), headers, orjson.dumps(body))


def read_create(response: HttpResponse) -> TemplateCreated:
    """Id, status (often PENDING) and the category that Meta gave it."""
    answer = _object(response)
    provider_id = answer.get("id")
    if not isinstance(provider_id, str | int) or not provider_id:
        raise Ambiguous(f"HTTP {response.status} without a template id")
    return TemplateCreated(str(provider_id), str(answer.get("status", "PENDING")), str(answer.get("category", "")))


def build_list(channel: ChannelInfo, version: str, after: str) -> HttpRequest:
    """GET one page. Our own address with the cursor: Meta's `next` holds the token and may name another version."""
    query = {"fields": _FIELDS, "limit": str(_PAGE)} | ({"after": after} if after else {})
    return HttpRequest("GET", f"{_url(channel, version)}?{urlencode(query)}", authorization(channel))


def read_list(response: HttpResponse) -> TemplatePage:
    """The last page has no `next`; an empty list has no `paging` at all."""
    try:
        answer = _object(response)
    except SendError as error:
        if error.code == _BAD_CURSOR:
            raise CursorLost from error
        raise
    rows = answer.get("data")
    if not isinstance(rows, list):
        raise Ambiguous(f"HTTP {response.status} without a list of templates")
    paging = answer.get("paging")
    paging = paging if isinstance(paging, Mapping) else {}
    cursors = paging.get("cursors")
    after = cursors.get("after", "") if paging.get("next") and isinstance(cursors, Mapping) else ""
    return TemplatePage(tuple(_state(row) for row in rows if isinstance(row, Mapping)), str(after))


def build_delete(channel: ChannelInfo, version: str, name: str) -> HttpRequest:
    """DELETE by name: every language of it."""
    return HttpRequest("DELETE", f"{_url(channel, version)}?{urlencode({'name': name})}", authorization(channel))


def read_delete(response: HttpResponse) -> bool:
    """False when Meta has no template of this name."""
    if _refusal(response).get("error_subcode") == _NO_SUCH_NAME:
        return False
    return _object(response).get("success") is True


def language_of(value: Any) -> str:
    """Meta writes en_US in lists and sometimes en-US in webhooks."""
    return str(value).replace("-", "_")


def _state(row: Mapping[str, Any]) -> TemplateState:
    quality = row.get("quality_score")
    reason = str(row.get("rejected_reason") or "")
    components = row.get("components")
    return TemplateState(
        provider_id=str(row.get("id", "")),
        name=str(row.get("name", "")),
        language=language_of(row.get("language", "")),
        category=str(row.get("category", "")),
        status=str(row.get("status", "")),
        components=[item for item in components if isinstance(item, dict)] if isinstance(components, list) else [],
        parameter_format=str(row.get("parameter_format") or "POSITIONAL"),
        quality=str(quality.get("score") or "") if isinstance(quality, Mapping) else "",
        reason="" if reason == "NONE" else reason,
        previous_category=str(row.get("previous_category") or ""),
    )


def _url(channel: ChannelInfo, version: str) -> str:
    return f"{graph_url(channel, version)}/{channel.account_id}/message_templates"


def _object(response: HttpResponse) -> Mapping[str, Any]:
    refusal = _refusal(response)
    if refusal.get("code") == _INVALID and refusal.get("error_user_msg"):
        # What is wrong with a template stands only in the texts that are meant for people.
        title = str(refusal.get("error_user_title") or "The template is refused")
        raise SendError(str(_INVALID), f"{title}. Meta says: {refusal['error_user_msg']}"[:480])
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise ERRORS.in_response(response) from None
    if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
        raise ERRORS.in_response(response)
    return answer


def _refusal(response: HttpResponse) -> Mapping[str, Any]:
    """Meta's error object, or nothing."""
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}
