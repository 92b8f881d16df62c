"""Message templates: the store of a WABA and its REST routes."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.graph.account import SUCCESS, Waba
from sandbox.graph.errors import GraphError, required, unknown_object
from sandbox.graph.identifiers import object_id
from sandbox.graph.template_rules import (
    CATEGORIES,
    Shape,
    check_components,
    check_identity,
    refused,
    with_authentication_texts,
)
from sandbox.http import Reply, Request, json_reply

if TYPE_CHECKING:
    from sandbox.world import World

Json = dict[str, Any]

WABA_LIMIT = 250
EDITABLE = ("APPROVED", "REJECTED", "PAUSED")
DAY_S = 86_400.0
EDITS_PER_MONTH = 10
NAME_BLOCKED_S = 30 * DAY_S


class Template:
    """One template in one language. `components` is replaced, never changed, so messages may point to it."""

    def __init__(self, waba: Waba, name: str, language: str, category: str, fmt: str, components: list[Json]) -> None:
        self.id = object_id("14")
        self.waba = waba
        self.name = name
        self.language = language
        self.category = category
        self.parameter_format = fmt
        self.components = components
        self.shape = Shape(components, named=fmt == "NAMED")
        self.status = "PENDING"
        self.rejected_reason = "NONE"
        self.edits: list[float] = []

    def as_json(self) -> Json:
        shown: Json = {
            "name": self.name,
            "parameter_format": self.parameter_format,
            "components": self.components,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "id": self.id,
        }
        if self.rejected_reason != "NONE":
            shown["rejected_reason"] = self.rejected_reason
        return shown


class BlockedNames:
    """Names of deleted approved templates, which may not be used again for 30 days."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def block(self, waba: Waba, name: str) -> None:
        self._until[waba.id, name] = time.time() + NAME_BLOCKED_S

    def blocked(self, waba: Waba, name: str) -> bool:
        return self._until.get((waba.id, name), 0.0) > time.time()


def create(world: World, waba: Waba, body: Json) -> Reply:
    """POST /{waba}/message_templates."""
    name, language, category, fmt = check_identity(body)
    components = with_authentication_texts(category, body["components"])
    check_components(components, category, named=fmt == "NAMED")
    if (name, language) in waba.templates:
        raise refused(
            2388024,
            "Content in this language already exists",
            f"There is already {language} content for this template. You can create a new template and try again.",
        )
    if world.blocked_names.blocked(waba, name):
        raise refused(2388023, "Template name is blocked", "A template of this name was deleted less than 30 days ago.")
    if len(waba.templates) >= WABA_LIMIT:
        raise refused(2388019, "Template limit reached", f"This account cannot have more than {WABA_LIMIT} templates.")
    template = Template(waba, name, language, category, fmt, components)
    waba.templates[name, language] = template
    world.templates[template.id] = template
    world.review(template)
    return json_reply({"id": template.id, "status": template.status, "category": template.category})


def edit(world: World, template: Template, body: Json) -> Reply:
    """POST /{template_id}: replaces all components and sends the template back to review."""
    if template.status not in EDITABLE:
        raise refused(2388003, "Template cannot be edited", f"A template that is {template.status} cannot be edited.")
    category = body.get("category", template.category)
    if category not in CATEGORIES:
        raise GraphError(100, f"category must be one of {', '.join(CATEGORIES)}")
    given = body.get("components", template.components)
    if not isinstance(given, list):
        raise GraphError(100, "Param components must be an array")
    components = with_authentication_texts(category, given)
    check_components(components, category, named=template.parameter_format == "NAMED")
    if template.status == "APPROVED":
        _count_edit(template)
    template.category = category
    template.components = components
    template.shape = Shape(components, named=template.parameter_format == "NAMED")
    template.status = "PENDING"
    world.review(template)
    return json_reply(SUCCESS)


def _count_edit(template: Template) -> None:
    now = time.time()
    template.edits = [moment for moment in template.edits if now - moment < 30 * DAY_S]
    if len(template.edits) >= EDITS_PER_MONTH or (template.edits and now - template.edits[-1] < DAY_S):
        raise refused(
            2388003,
            "Template was edited too often",
            "An approved template can be edited once in 24 hours and 10 times in 30 days.",
        )
    template.edits.append(now)


def listing(world: World, waba: Waba, request: Request) -> Reply:
    """GET /{waba}/message_templates with filters and cursors; an empty page has no paging object."""
    query = request.query
    found = [template for template in waba.templates.values() if _wanted(template, query)]
    limit = _limit(query.get("limit", "25"))
    start = _position(query.get("after"), found)
    page = found[start : start + limit]
    if not page:
        return json_reply({"data": []})
    paging: Json = {"cursors": {"before": _cursor(page[0]), "after": _cursor(page[-1])}}
    if start + limit < len(found):
        token = query.get("access_token", "REDACTED")
        filters = "".join(f"&{key}={query[key]}" for key in FILTERS if key in query)
        paging["next"] = (
            f"{world.config.public_url}/v25.0/{waba.id}/message_templates?access_token={token}"
            f"&limit={limit}&after={_cursor(page[-1])}{filters}"
        )
    fields = [field for field in query.get("fields", "").split(",") if field]
    return json_reply({"data": [_select(template.as_json(), fields) for template in page], "paging": paging})


FILTERS = ("name", "status", "category", "language")


def _wanted(template: Template, query: Any) -> bool:
    return (
        query.get("name", "") in template.name
        and query.get("status", template.status) == template.status
        and query.get("category", template.category) == template.category
        and query.get("language", template.language) == template.language
    )


def _select(shown: Json, fields: list[str]) -> Json:
    if not fields:
        return shown
    return {key: value for key, value in shown.items() if key in fields or key == "id"}


def _limit(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit() and int(raw) > 0):
        raise GraphError(100, "limit must be a positive number")
    return min(int(raw), 1000)


def _cursor(template: Template) -> str:
    return base64.urlsafe_b64encode(template.id.encode()).decode().rstrip("=")


def _position(cursor: str | None, found: list[Template]) -> int:
    if not cursor:
        return 0
    for index, template in enumerate(found):
        if _cursor(template) == cursor:
            return index + 1
    raise GraphError(131059)


def show(template: Template, request: Request) -> Reply:
    """GET /{template_id}."""
    fields = [field for field in request.query.get("fields", "").split(",") if field]
    return json_reply(_select(template.as_json(), fields))


def delete(world: World, waba: Waba, request: Request) -> Reply:
    """DELETE by name (all languages), by hsm_id and name (one), or by hsm_ids (all or nothing)."""
    query = request.query
    if "hsm_ids" in query:
        doomed = [_owned(world, waba, template_id) for template_id in _ids(query["hsm_ids"])]
    elif "hsm_id" in query:
        if not query.get("name"):
            raise required("name")
        doomed = [_owned(world, waba, query["hsm_id"])]
        if doomed[0].name != query["name"]:
            raise GraphError(100, "hsm_id and name belong to different templates")
    elif query.get("name"):
        doomed = [template for template in waba.templates.values() if template.name == query["name"]]
        if not doomed:
            raise refused(2593002, "Template not found", f"There is no template named {query['name']}.")
    else:
        raise required("name")
    for template in doomed:
        _remove(world, template)
    return json_reply(SUCCESS)


def _ids(raw: str) -> list[str]:
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise GraphError(100, "hsm_ids must be a JSON array") from None
    if not isinstance(values, list) or not 1 <= len(values) <= 100:
        raise GraphError(100, "hsm_ids must be an array of 1 to 100 ids")
    return [str(value) for value in values]


def _owned(world: World, waba: Waba, template_id: str) -> Template:
    template = world.templates.get(template_id)
    if template is None or template.waba is not waba:
        raise unknown_object(template_id, "DELETE")
    return template


def _remove(world: World, template: Template) -> None:
    template.waba.templates.pop((template.name, template.language), None)
    world.templates.pop(template.id, None)
    if template.status == "APPROVED":
        world.blocked_names.block(template.waba, template.name)
    template.status = "DELETED"
