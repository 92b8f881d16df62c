"""Checks of interactive messages: buttons, lists, links, flows, requests for a location."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.graph.errors import GraphError
from sandbox.graph.fields import bad, choice, link_or_id, missing, objects, text

Json = dict[str, Any]

HEADER_LENGTH = 60
FOOTER_LENGTH = 60
BODY_LENGTH = 1024
LIST_BODY_LENGTH = 4096
ROWS_IN_ALL = 10


def check_interactive(value: Json) -> None:
    """Raises GraphError for an interactive object that Meta would refuse."""
    kind = value.get("type")
    if kind is None:
        raise missing("interactive.type")
    check = _ACTIONS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise bad(f"interactive.type {str(kind)[:40]!r} is not supported")
    _header(value.get("header"), text_only=kind == "list")
    body = value.get("body")
    if not isinstance(body, dict):
        raise missing("interactive.body")
    text(body, "text", "interactive.body.text", LIST_BODY_LENGTH if kind == "list" else BODY_LENGTH)
    footer = value.get("footer")
    if footer is not None:
        if not isinstance(footer, dict):
            raise GraphError(100, "Param interactive.footer must be an object")
        text(footer, "text", "interactive.footer.text", FOOTER_LENGTH)
    action = value.get("action")
    if not isinstance(action, dict):
        raise missing("interactive.action")
    check(action)


def _header(header: object, *, text_only: bool) -> None:
    if header is None:
        return
    if not isinstance(header, dict):
        raise GraphError(100, "Param interactive.header must be an object")
    kind = header.get("type")
    choice(kind, "interactive.header.type", ("text",) if text_only else ("text", "image", "video", "document"))
    if kind == "text":
        text(header, "text", "interactive.header.text", HEADER_LENGTH)
        return
    media = header.get(str(kind))
    if not isinstance(media, dict):
        raise missing(f"interactive.header.{kind}")
    link_or_id(media, f"interactive.header.{kind}")


def _buttons(action: Json) -> None:
    ids: list[object] = []
    titles: list[object] = []
    for index, button in enumerate(objects(action.get("buttons"), "buttons", 1, 3)):
        where = f"interactive.action.buttons[{index}]"
        choice(button.get("type"), f"{where}.type", ("reply",))
        reply = button.get("reply")
        if not isinstance(reply, dict):
            raise missing(f"{where}.reply")
        ids.append(text(reply, "id", f"{where}.reply.id", 256, label="Button id"))
        titles.append(text(reply, "title", f"{where}.reply.title", 20, label="Button title"))
    if len(set(ids)) < len(ids):
        raise bad("Duplicate reply button id; ids must be unique")
    if len(set(titles)) < len(titles):
        raise bad("Duplicate reply button title; titles must be unique")


def _list(action: Json) -> None:
    text(action, "button", "interactive.action.button", 20, label="List button")
    sections = objects(action.get("sections"), "sections", 1, 10)
    ids: list[object] = []
    for index, section in enumerate(sections):
        where = f"interactive.action.sections[{index}]"
        text(section, "title", f"{where}.title", 24, optional=len(sections) == 1, label="Section title")
        for row_index, row in enumerate(objects(section.get("rows"), f"{where}.rows", 1, ROWS_IN_ALL)):
            place = f"{where}.rows[{row_index}]"
            ids.append(text(row, "id", f"{place}.id", 200, label="Row id"))
            text(row, "title", f"{place}.title", 24, label="Row title")
            text(row, "description", f"{place}.description", 72, optional=True, label="Row description")
    if len(ids) > ROWS_IN_ALL:
        raise bad(f"Total row count exceed max allowed count: {ROWS_IN_ALL}")
    if len(set(ids)) < len(ids):
        raise bad("Duplicate row id; ids must be unique")


def _named(action: Json, name: str) -> Json:
    choice(action.get("name"), "interactive.action.name", (name,))
    parameters = action.get("parameters")
    if not isinstance(parameters, dict):
        raise missing("interactive.action.parameters")
    return parameters


def _cta_url(action: Json) -> None:
    parameters = _named(action, "cta_url")
    where = "interactive.action.parameters"
    text(parameters, "display_text", f"{where}.display_text", 20, label="display_text")
    url = text(parameters, "url", f"{where}.url", 2000)
    if url is not None and not url.startswith(("http://", "https://")):
        raise bad(f"{where}.url must be an http or https URL")


def _flow(action: Json) -> None:
    parameters = _named(action, "flow")
    where = "interactive.action.parameters"
    choice(parameters.get("flow_message_version"), f"{where}.flow_message_version", ("3",))
    if not (parameters.get("flow_id") or parameters.get("flow_name")):
        raise missing(f"{where}.flow_id or flow_name")
    text(parameters, "flow_cta", f"{where}.flow_cta", 30, label="flow_cta")
    choice(parameters.get("mode", "published"), f"{where}.mode", ("published", "draft"))
    choice(parameters.get("flow_action", "navigate"), f"{where}.flow_action", ("navigate", "data_exchange"))


def _location_request(action: Json) -> None:
    choice(action.get("name"), "interactive.action.name", ("send_location",))


_ACTIONS: dict[str, Callable[[Json], None]] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _cta_url,
    "flow": _flow,
    "location_request_message": _location_request,
}
