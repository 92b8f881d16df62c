"""Buttons, lists, links, flows and location requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from messaging.drivers.problems import Problems
from messaging.drivers.texts import marked as _

BODY_LENGTH: Final = 1024
LIST_BODY_LENGTH: Final = 4096
HEADER_LENGTH: Final = 60
FOOTER_LENGTH: Final = 60
LABEL_LENGTH: Final = 20
FLOW_LABEL_LENGTH: Final = 30
ROWS: Final = 10

MediaCheck = Callable[[Problems, Mapping[str, Any], str, str], None]
_ROOT: Final = "interactive"
_ACTION: Final = "interactive.action"
_PARAMETERS: Final = "interactive.action.parameters"


def check_interactive(problems: Problems, content: Mapping[str, Any], check_media: MediaCheck) -> None:
    """`interactive`: `{"type", "header"?, "body", "footer"?, "action"}`."""
    interactive = problems.object(content, _ROOT, "")
    if interactive is None:
        return
    kind = problems.choice(interactive, "type", _ROOT, tuple(_ACTIONS))
    if kind is None:
        return
    _check_frame(problems, interactive, kind, check_media)
    action = problems.object(interactive, "action", _ROOT)
    if action is not None:
        _ACTIONS[kind](problems, action)


def _check_frame(problems: Problems, interactive: Mapping[str, Any], kind: str, check_media: MediaCheck) -> None:
    body = problems.object(interactive, "body", _ROOT)
    if body is not None:
        problems.text(body, "text", f"{_ROOT}.body", maximum=LIST_BODY_LENGTH if kind == "list" else BODY_LENGTH)
    if kind == "location_request_message":
        for part in ("header", "footer"):
            if interactive.get(part) is not None:
                problems.add(f"{_ROOT}.{part}", _("is not possible with a location request"))
        return
    footer = problems.object(interactive, "footer", _ROOT, required=False)
    if footer is not None:
        problems.text(footer, "text", f"{_ROOT}.footer", maximum=FOOTER_LENGTH)
    header = problems.object(interactive, "header", _ROOT, required=False)
    if header is not None:
        _check_header(
            problems, header, ("text",) if kind == "list" else ("text", "image", "video", "document"), check_media
        )


def _check_header(
    problems: Problems, header: Mapping[str, Any], allowed: tuple[str, ...], check_media: MediaCheck
) -> None:
    kind = problems.choice(header, "type", f"{_ROOT}.header", allowed)
    if kind == "text":
        problems.text(header, "text", f"{_ROOT}.header", maximum=HEADER_LENGTH)
    elif kind is not None:
        check_media(problems, header, kind, f"{_ROOT}.header")


def _check_buttons(problems: Problems, action: Mapping[str, Any]) -> None:
    ids, titles = [], []
    for path, button in problems.objects(action, "buttons", _ACTION, maximum=3):
        problems.choice(button, "type", path, ("reply",))
        reply = problems.object(button, "reply", path)
        if reply is not None:
            ids.append((f"{path}.reply.id", problems.text(reply, "id", f"{path}.reply", maximum=256)))
            titles.append((f"{path}.reply.title", problems.text(reply, "title", f"{path}.reply", maximum=LABEL_LENGTH)))
    problems.unique(ids, _("the id of a button must be unique"))
    problems.unique(titles, _("the title of a button must be unique"))


def _check_list(problems: Problems, action: Mapping[str, Any]) -> None:
    problems.text(action, "button", _ACTION, maximum=LABEL_LENGTH)
    sections = problems.objects(action, "sections", _ACTION, maximum=10)
    ids: list[tuple[str, str | None]] = []
    for path, section in sections:
        problems.text(section, "title", path, maximum=24, required=len(sections) > 1)
        for where, row in problems.objects(section, "rows", path, maximum=ROWS):
            ids.append((f"{where}.id", problems.text(row, "id", where, maximum=200)))
            problems.text(row, "title", where, maximum=24)
            problems.text(row, "description", where, maximum=72, required=False)
    problems.unique(ids, _("the id of a row must be unique"))
    if len(ids) > ROWS:
        problems.add(
            f"{_ACTION}.sections",
            _("have %(count)s rows in all, at most %(most)s are allowed"),
            count=len(ids),
            most=ROWS,
        )


def _check_link(problems: Problems, action: Mapping[str, Any]) -> None:
    problems.choice(action, "name", _ACTION, ("cta_url",))
    parameters = problems.object(action, "parameters", _ACTION)
    if parameters is not None:
        problems.text(parameters, "display_text", _PARAMETERS, maximum=LABEL_LENGTH)
        problems.url(parameters, "url", _PARAMETERS)


def _check_flow(problems: Problems, action: Mapping[str, Any]) -> None:
    problems.choice(action, "name", _ACTION, ("flow",))
    parameters = problems.object(action, "parameters", _ACTION)
    if parameters is None:
        return
    problems.choice(parameters, "flow_message_version", _PARAMETERS, ("3",))
    if (parameters.get("flow_id") is None) == (parameters.get("flow_name") is None):
        problems.add(f"{_PARAMETERS}.flow_id", _("give either flow_id or flow_name"))
    for key in ("flow_id", "flow_name", "flow_token"):
        problems.text(parameters, key, _PARAMETERS, required=False)
    problems.text(parameters, "flow_cta", _PARAMETERS, maximum=FLOW_LABEL_LENGTH)
    problems.choice(parameters, "mode", _PARAMETERS, ("draft", "published"), required=False)
    move = problems.choice(parameters, "flow_action", _PARAMETERS, ("navigate", "data_exchange"), required=False)
    payload = problems.object(parameters, "flow_action_payload", _PARAMETERS, required=False)
    if payload is not None and move != "data_exchange":
        problems.text(payload, "screen", f"{_PARAMETERS}.flow_action_payload")


def _check_location_request(problems: Problems, action: Mapping[str, Any]) -> None:
    problems.choice(action, "name", _ACTION, ("send_location",))


_ACTIONS: Final[Mapping[str, Callable[[Problems, Mapping[str, Any]], None]]] = {
    "button": _check_buttons,
    "list": _check_list,
    "cta_url": _check_link,
    "flow": _check_flow,
    "location_request_message": _check_location_request,
}
