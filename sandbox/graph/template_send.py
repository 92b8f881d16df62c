"""Sending a template: its parameters are compared with its shape, and its texts are filled in."""

from __future__ import annotations

import re
from typing import Any

from sandbox.graph.errors import GraphError
from sandbox.graph.fields import missing
from sandbox.graph.template_rules import VARIABLE, Shape
from sandbox.graph.templates import Template

Json = dict[str, Any]

FILLED_BODY_LENGTH = 1024
_FORBIDDEN = re.compile(r"[\n\t]| {5,}")


def check_parameters(template: Template, components: list[Json]) -> None:
    """Raises GraphError when the parameters of a send do not fit the template."""
    shape = template.shape
    given = {str(component["type"]).lower(): component for component in components if component["type"] != "button"}
    _check_header(shape, given.get("header"))
    body = given.get("body", {}).get("parameters", [])
    _check_texts("body", shape.body, body, named=shape.named)
    _check_buttons(shape, [component for component in components if str(component["type"]).lower() == "button"])
    if len(filled_body(template, components)) > FILLED_BODY_LENGTH:
        raise GraphError(132005, f"body: the filled text is longer than {FILLED_BODY_LENGTH} characters")


def _check_header(shape: Shape, header: Json | None) -> None:
    parameters = header.get("parameters", []) if header else []
    if shape.header_format in ("", "TEXT"):
        wrong = [item for item in parameters if item.get("type") != "text"]
        if wrong and shape.header_format:
            raise GraphError(132012, f"header: Format mismatch, expected TEXT, received {_kind(wrong[0])}")
        _check_texts("header", shape.header, parameters, named=shape.named)
        return
    received = _kind(parameters[0]) if parameters else "UNKNOWN"
    if received != shape.header_format:
        raise GraphError(132012, f"header: Format mismatch, expected {shape.header_format}, received {received}")
    kind = shape.header_format.lower()
    if not isinstance(parameters[0].get(kind), dict):
        raise missing(f"header: {kind}")


def _kind(parameter: Json) -> str:
    return str(parameter.get("type", "UNKNOWN")).upper()[:20]


def _check_texts(where: str, names: list[str], parameters: list[Json], *, named: bool) -> None:
    if len(parameters) != len(names):
        raise GraphError(
            132000,
            f"{where}: number of localizable_params ({len(parameters)}) does not match the expected number of params "
            f"({len(names)})",
        )
    if named:
        given = [parameter.get("parameter_name") for parameter in parameters]
        for name in names:
            if name not in given:
                raise GraphError(132012, f"{where}: Parameter name {name} is missing")
    for index, parameter in enumerate(parameters):
        value = parameter_text(parameter)
        if not value:
            raise missing(f"{where}: text of parameter {index + 1}")
        if _FORBIDDEN.search(value):
            raise GraphError(
                132018, f"{where}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            )


def parameter_text(parameter: Json) -> str:
    """The text that stands for a parameter: itself, or the fallback of a currency or a date."""
    kind = parameter.get("type")
    value = parameter.get("text") if kind == "text" else None
    if kind in ("currency", "date_time"):
        inner = parameter.get(str(kind))
        value = inner.get("fallback_value") if isinstance(inner, dict) else None
    return value if isinstance(value, str) else ""


def _check_buttons(shape: Shape, given: list[Json]) -> None:
    seen: set[int] = set()
    for component in given:
        index = str(component.get("index", ""))
        if not (index.isascii() and index.isdigit() and int(index) < len(shape.buttons)):
            raise GraphError(131009, f"buttons: there is no button at index {index[:10]}")
        seen.add(int(index))
        kind = shape.buttons[int(index)]["type"].lower()
        if str(component.get("sub_type", "")).lower() not in (kind, "copy_code" if kind == "url" else kind):
            raise GraphError(132012, f"buttons: Button at index {index} is of type {kind}")
        if not component.get("parameters"):
            raise GraphError(131008, f"buttons: Button at index {index} of type {kind.title()} requires a parameter")
    for index_needed in shape.url_variables:
        if index_needed not in seen:
            raise GraphError(131008, f"buttons: Button at index {index_needed} of type Url requires a parameter")


def filled_body(template: Template, components: list[Json]) -> str:
    return str(rendered(template.components, components)["body"])


def rendered(template_components: list[Json], components: list[Json]) -> Json:
    """What the phone shows: header (format, text or media), body, footer, buttons."""
    given = {str(component["type"]).lower(): component.get("parameters", []) for component in components}
    shown: Json = {"header": None, "body": "", "footer": "", "buttons": []}
    for component in template_components:
        kind = component["type"].upper()
        if kind == "HEADER":
            shown["header"] = _header(component, given.get("header", []))
        elif kind == "BODY":
            shown["body"] = _fill(component["text"], given.get("body", []))
        elif kind == "FOOTER":
            shown["footer"] = component["text"]
        elif kind == "BUTTONS":
            shown["buttons"] = _buttons(component["buttons"], components)
    return shown


def _fill(text: str, parameters: list[Json]) -> str:
    named = {str(item["parameter_name"]): parameter_text(item) for item in parameters if item.get("parameter_name")}
    values = named or {str(index): parameter_text(item) for index, item in enumerate(parameters, 1)}
    return VARIABLE.sub(lambda match: values.get(match.group(1), match.group(0)), text)


def _header(component: Json, parameters: list[Json]) -> Json:
    fmt = str(component.get("format", "TEXT")).lower()
    if fmt == "text":
        return {"type": "text", "text": _fill(component.get("text", ""), parameters)}
    value = parameters[0].get(fmt) if parameters else None
    return {"type": fmt, fmt: value if isinstance(value, dict) else {}}


def _buttons(buttons: list[Json], components: list[Json]) -> list[Json]:
    given = {
        str(component.get("index")): component["parameters"][0]
        for component in components
        if str(component["type"]).lower() == "button" and component.get("parameters")
    }
    shown: list[Json] = []
    for index, button in enumerate(buttons):
        parameter = given.get(str(index), {})
        kind = button["type"]
        item: Json = {"type": kind.lower(), "text": button.get("text", "Copy code")}
        if kind == "QUICK_REPLY":
            item["payload"] = str(parameter.get("payload") or item["text"])
        elif kind == "URL":
            item["url"] = _filled_url(button["url"], str(parameter.get("text", "")))
        elif kind == "PHONE_NUMBER":
            item["phone_number"] = button["phone_number"]
        elif kind == "COPY_CODE":
            item["code"] = str(parameter.get("coupon_code", ""))
        shown.append(item)
    return shown


def _filled_url(url: str, value: str) -> str:
    return VARIABLE.sub(lambda _: value, url)
