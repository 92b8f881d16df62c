"""Sending a template: its name, language and the values of its variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from messaging.drivers.problems import Problems
from messaging.drivers.texts import marked as _

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:_[A-Za-z0-9]{2,4})?")
VARIABLE: Final = re.compile(r"[a-z][a-z0-9_]*")
# A value with one of these is refused with 132012 or 132018.
_UNFIT_VALUE: Final = re.compile(r"[\n\r\t]| {5}")
HEADER_LENGTH: Final = 60
BODY_LENGTH: Final = 1024
COUPON_LENGTH: Final = 20
URL_LENGTH: Final = 2000
BUTTONS: Final = 10

MediaCheck = Callable[[Problems, Mapping[str, Any], str, str], None]
LocationCheck = Callable[[Problems, Mapping[str, Any], str], None]
# sub_type of a button -> the only type that its parameter may have; None: any, these are Meta's own structures.
_BUTTON_PARAMETERS: Final[Mapping[str, str | None]] = {
    "quick_reply": "payload",
    "url": "text",
    "copy_code": "coupon_code",
    "flow": "action",
    "catalog": None,
    "mpm": None,
}


def check_template(
    problems: Problems, content: Mapping[str, Any], check_media: MediaCheck, check_location: LocationCheck
) -> None:
    """`template`: `{"name", "language": {"code"}, "components"?}`."""
    template = problems.object(content, "template", "")
    if template is None:
        return
    name = problems.text(template, "name", "template", maximum=512)
    if name and not NAME.fullmatch(name):
        problems.add("template.name", _("may have only a-z, 0-9 and _"))
    language = problems.object(template, "language", "template")
    if language is not None:
        code = problems.text(language, "code", "template.language")
        if code and not LANGUAGE.fullmatch(code):
            problems.add("template.language.code", _("must be a language code such as en or en_US"))
    _check_components(problems, template, check_media, check_location)


def _check_components(
    problems: Problems, template: Mapping[str, Any], check_media: MediaCheck, check_location: LocationCheck
) -> None:
    places: list[tuple[str, str | None]] = []
    for path, component in problems.objects(template, "components", "template", minimum=0, maximum=BUTTONS + 2):
        kind = component.get("type")
        # Meta reads the type in any case, and its own examples have both.
        kind = kind.lower() if isinstance(kind, str) else kind
        if kind == "header":
            _check_header(problems, component, path, check_media, check_location)
        elif kind == "body":
            _check_body(problems, component, path)
        elif kind == "button":
            kind = f"button {_check_button(problems, component, path)}"
        else:
            problems.add(f"{path}.type", _("must be one of: %(names)s"), names="header, body, button")
            continue
        places.append((path, kind))
    problems.unique(places, _("each component must be unique"))


def _check_header(
    problems: Problems,
    component: Mapping[str, Any],
    path: str,
    check_media: MediaCheck,
    check_location: LocationCheck,
) -> None:
    for where, parameter in problems.objects(component, "parameters", path, minimum=0, maximum=1):
        kind = problems.choice(parameter, "type", where, ("text", "image", "video", "document", "location"))
        if kind == "text":
            _check_value(problems, parameter, where, HEADER_LENGTH)
        elif kind == "location":
            check_location(problems, parameter, where)
        elif kind is not None:
            check_media(problems, parameter, kind, where)


def _check_body(problems: Problems, component: Mapping[str, Any], path: str) -> None:
    names = []
    for where, parameter in problems.objects(component, "parameters", path, minimum=0, maximum=100):
        kind = problems.choice(parameter, "type", where, ("text", "currency", "date_time"))
        if kind == "text":
            _check_value(problems, parameter, where, BODY_LENGTH)
        elif kind is not None:
            structure = problems.object(parameter, kind, where)
            if structure is not None:
                problems.text(structure, "fallback_value", f"{where}.{kind}", maximum=BODY_LENGTH)
        names.append((f"{where}.parameter_name", parameter.get("parameter_name")))
    _check_names(problems, names)


def _check_names(problems: Problems, names: list[tuple[str, Any]]) -> None:
    """Named and positional variables are never mixed; names are lower_snake and unique."""
    if all(name is None for _, name in names):
        return
    known: list[tuple[str, str | None]] = []
    for path, name in names:
        if name is None:
            problems.add(path, _("is required as soon as one variable has a name"))
        elif not isinstance(name, str) or not VARIABLE.fullmatch(name):
            problems.add(path, _("must have only a-z, 0-9 and _, starting with a letter"))
        else:
            known.append((path, name))
    problems.unique(known, _("the name of a variable must be unique"))


def _check_value(problems: Problems, parameter: Mapping[str, Any], where: str, maximum: int) -> None:
    value = problems.text(parameter, "text", where, maximum=maximum)
    if value and _UNFIT_VALUE.search(value):
        problems.add(f"{where}.text", _("must not have line breaks, tabs or more than 4 spaces in a row"))


def _check_button(problems: Problems, component: Mapping[str, Any], path: str) -> str:
    """Returns the index, by which no two buttons may be the same."""
    kind = problems.choice(component, "sub_type", path, tuple(_BUTTON_PARAMETERS))
    index = component.get("index")
    if isinstance(index, bool) or not isinstance(index, int | str) or str(index) not in map(str, range(BUTTONS)):
        problems.add(f"{path}.index", _("must be 0 to %(most)s"), most=BUTTONS - 1)
    if kind is not None:
        for where, parameter in problems.objects(component, "parameters", path, minimum=0, maximum=1):
            _check_button_parameter(problems, parameter, where, _BUTTON_PARAMETERS[kind])
    return str(index)


def _check_button_parameter(problems: Problems, parameter: Mapping[str, Any], where: str, expected: str | None) -> None:
    if expected is None:
        problems.text(parameter, "type", where)
    elif problems.choice(parameter, "type", where, (expected,)) is None:
        return
    elif expected == "action":
        problems.object(parameter, "action", where)
    else:
        limits = {"coupon_code": COUPON_LENGTH, "text": URL_LENGTH, "payload": 256}
        problems.text(parameter, expected, where, maximum=limits[expected])
