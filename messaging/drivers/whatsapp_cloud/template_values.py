"""Whether a message fills what its template asks for: Meta refuses others with 132000 or 132012."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from messaging.drivers.base import ContentError
from messaging.drivers.problems import Problems
from messaging.drivers.templates import Components
from messaging.drivers.texts import marked as _
from messaging.drivers.whatsapp_cloud.template_rules import MEDIA_HEADERS, kind_of, variables_of

_WHERE: Final = "template.components"
Given = tuple[str, Mapping[str, Any]]


def check_values(components: Components, parameter_format: str, content: Mapping[str, Any]) -> None:
    """Compare `content` (`{"type": "template", "template": ...}`, already valid by itself) with the template.

    Raises `ContentError` that names each component whose values are missing, too many or of the wrong kind.
    """
    problems = Problems()
    given = _given(content["template"].get("components") or [])
    wanted = {kind_of(component): component for component in components}
    named = parameter_format == "NAMED"
    _check_header(problems, wanted.get("HEADER"), given.get("header"), named)
    _check_texts(problems, wanted.get("BODY"), given.get("body"), "body", named)
    _check_buttons(problems, wanted.get("BUTTONS"), given)
    if problems.fields:
        raise ContentError(problems.fields)


def _given(components: list[Any]) -> dict[str, Given]:
    """header, body, button.0 ... -> its path and its object."""
    found: dict[str, Given] = {}
    for index, component in enumerate(components):
        if isinstance(component, Mapping):
            kind = str(component.get("type", "")).lower()
            key = f"button.{component.get('index')}" if kind == "button" else kind
            found[key] = (f"{_WHERE}.{index}", component)
    return found


def _check_header(problems: Problems, wanted: Mapping[str, Any] | None, given: Given | None, named: bool) -> None:
    form = str(wanted.get("format", "TEXT")).upper() if wanted else "TEXT"
    if form == "TEXT":
        _check_texts(problems, wanted, given, "header", named)
        return
    kind = form.lower()
    path, component = given or (_WHERE, {})
    types = [item.get("type") for item in _parameters(component)]
    if types != [kind] and (form in MEDIA_HEADERS or form == "LOCATION"):
        problems.add(path, _("the template's header needs one parameter of type %(kind)s"), kind=kind)


def _check_texts(
    problems: Problems, wanted: Mapping[str, Any] | None, given: Given | None, part: str, named: bool
) -> None:
    names = variables_of(wanted.get("text")) if wanted else []
    path, component = given or (_WHERE, {})
    parameters = _parameters(component)
    if len(parameters) != len(names):
        problems.add(
            path,
            _("values for the template's %(part)s: %(count)s needed, %(given)s given"),
            part=part,
            count=len(names),
            given=len(parameters),
        )
    elif named and {item.get("parameter_name") for item in parameters} != set(names):
        problems.add(
            path, _("the template's %(part)s needs the variables %(names)s"), part=part, names=", ".join(names)
        )


def _check_buttons(problems: Problems, wanted: Mapping[str, Any] | None, given: Mapping[str, Given]) -> None:
    buttons = wanted.get("buttons") if wanted else None
    buttons = buttons if isinstance(buttons, list) else []
    for index, button in enumerate(buttons):
        need = _button_need(button)
        found = given.get(f"button.{index}")
        if need and (found is None or not _parameters(found[1])):
            problems.add(found[0] if found else _WHERE, need, index=index)
        elif found and not need and button.get("type") in ("URL", "PHONE_NUMBER") and _parameters(found[1]):
            problems.add(found[0], _("the template's button %(index)s takes no value"), index=index)
    for key, (path, _component) in given.items():
        place = key.removeprefix("button.")
        if place != key and not (place.isdigit() and int(place) < len(buttons)):
            problems.add(path, _("the template has no button %(index)s"), index=place)


def _button_need(button: Mapping[str, Any]) -> str:
    """What is wrong when a send gives nothing for this button: "" if it need not."""
    kind = str(button.get("type", "")).upper()
    if kind in ("URL", "OTP") and (kind == "OTP" or variables_of(button.get("url"))):
        return _("the template's button %(index)s needs a text for its address")
    return _("the template's button %(index)s needs a coupon code") if kind == "COPY_CODE" else ""


def _parameters(component: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parameters = component.get("parameters")
    return [item for item in parameters if isinstance(item, Mapping)] if isinstance(parameters, list) else []
