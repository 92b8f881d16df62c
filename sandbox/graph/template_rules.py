"""The rules a template must keep when it is created, and the shape that its sends must fit.

Limits: header text 60 with one variable at most, body 1024, footer 60 without variables, 10 buttons, button text 25,
url 2000 with one variable at its end, phone 20, coupon code 20. Subcodes as in Meta's list of creation errors.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.graph.errors import GraphError, required

Json = dict[str, Any]

CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
FORMATS = ("POSITIONAL", "NAMED")
NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?\Z")
VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
NAMED_VARIABLE = re.compile(r"[a-z][a-z0-9_]*\Z")
BUTTON_LIMITS = {"QUICK_REPLY": 10, "URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1, "OTP": 1, "FLOW": 1}
MEDIA_HEADERS = ("IMAGE", "VIDEO", "DOCUMENT")
# A body needs at least this many words for each variable (and one more); Meta does not publish the exact ratio.
WORDS_PER_VARIABLE = 2


def refused(subcode: int, title: str, message: str) -> GraphError:
    """A creation error: code 100, a subcode and texts for the user."""
    return GraphError(
        100, message="Invalid parameter", subcode=subcode, user_title=title, user_message=message, bare=True
    )


class Shape:
    """What a send must fill in: the variables of header, body and url buttons, and the kind of header."""

    __slots__ = ("body", "buttons", "header", "header_format", "named", "url_variables")

    def __init__(self, components: list[Json], *, named: bool) -> None:
        self.named = named
        self.header_format = ""
        self.header: list[str] = []
        self.body: list[str] = []
        self.buttons: list[Json] = []
        for component in components:
            kind = str(component.get("type", "")).upper()
            if kind == "HEADER":
                self.header_format = str(component.get("format", "TEXT")).upper()
                self.header = variables(component.get("text", ""))
            elif kind == "BODY":
                self.body = variables(component.get("text", ""))
            elif kind == "BUTTONS":
                self.buttons = component["buttons"]
        self.url_variables = [
            index
            for index, button in enumerate(self.buttons)
            if button["type"] == "URL" and variables(button.get("url", ""))
        ]


def variables(text: str) -> list[str]:
    """The names in {{...}}, each once, in the order of appearance."""
    return list(dict.fromkeys(VARIABLE.findall(text)))


def check_identity(body: Json) -> tuple[str, str, str, str]:
    """Name, language, category and parameter format of a create call."""
    for key in ("name", "language", "category", "components"):
        if body.get(key) is None:
            raise required(key)
    name, language, category = body["name"], body["language"], body["category"]
    fmt = body.get("parameter_format", "POSITIONAL")
    fmt = fmt.upper() if isinstance(fmt, str) else fmt
    if not isinstance(name, str) or not NAME.match(name):
        raise refused(2388039, "Invalid template name", "Use lower-case letters, digits and underscores, 512 at most.")
    if not isinstance(language, str) or not LANGUAGE.match(language):
        raise GraphError(100, "language must be a language code such as en_US")
    if category not in CATEGORIES:
        raise GraphError(100, f"category must be one of {', '.join(CATEGORIES)}")
    if fmt not in FORMATS:
        raise GraphError(100, f"parameter_format must be one of {', '.join(FORMATS)}")
    if not isinstance(body["components"], list):
        raise GraphError(100, "Param components must be an array")
    return name, language, category, fmt


def with_authentication_texts(category: str, components: list[Json]) -> list[Json]:
    """Authentication templates have fixed texts: fill them in for the options that were given."""
    if category != "AUTHENTICATION":
        return components
    filled: list[Json] = []
    for component in components:
        if not isinstance(component, dict):
            raise GraphError(100, "Param components must be an array of objects")
        kind = component.get("type")
        if kind == "BODY" and "text" not in component:
            advice = " For your security, do not share this code."
            text = "*{{1}}* is your verification code."
            safe = component.get("add_security_recommendation") is True
            component = {"type": "BODY", "text": text + (advice if safe else "")}
        elif kind == "FOOTER" and "text" not in component:
            minutes = component.get("code_expiration_minutes")
            if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= 90:
                raise GraphError(100, "code_expiration_minutes must be a whole number from 1 to 90")
            component = {"type": "FOOTER", "text": f"This code expires in {minutes} minutes."}
        elif kind == "BUTTONS" and isinstance(component.get("buttons"), list):
            component = {"type": "BUTTONS", "buttons": [_otp_button(button) for button in component["buttons"]]}
        filled.append(component)
    return filled


def _otp_button(button: object) -> Json:
    if not isinstance(button, dict):
        raise GraphError(100, "Param buttons must be an array of objects")
    if button.get("type") != "OTP":
        return button
    kind = button.get("otp_type")
    if kind not in ("COPY_CODE", "ONE_TAP", "ZERO_TAP"):
        raise GraphError(100, "otp_type must be COPY_CODE, ONE_TAP or ZERO_TAP")
    return {
        "type": "URL",
        "text": button.get("text") or "Copy code",
        "url": f"https://www.whatsapp.com/otp/code/?otp_type={kind}&code=otp{{{{1}}}}",
        "example": [f"https://www.whatsapp.com/otp/code/?otp_type={kind}&code=otp123456"],
    }


def check_components(components: list[Json], category: str, *, named: bool) -> None:
    """Raises GraphError for components that break a rule."""
    seen: set[str] = set()
    for component in components:
        if not isinstance(component, dict) or not isinstance(component.get("type"), str):
            raise GraphError(100, "Param components must be an array of objects with a type")
        kind = component["type"].upper()
        if kind in seen:
            raise refused(2388072, "Component given twice", f"There can be one {kind} only.")
        seen.add(kind)
        if kind == "HEADER":
            _check_header(component, named=named)
        elif kind == "BODY":
            _check_body(component, category, named=named)
        elif kind == "FOOTER":
            _check_footer(component)
        elif kind == "BUTTONS":
            _check_buttons(component)
        else:
            raise GraphError(100, f"Component type {kind[:40]} is not supported")
    if "BODY" not in seen:
        raise refused(2388073, "Body missing", "A template needs a BODY component.")


def _text(component: Json, longest: int, what: str) -> str:
    text = component.get("text")
    if not isinstance(text, str) or not text.strip():
        raise refused(2388073, f"{what} text missing", f"The {what.lower()} needs a text.")
    if len(text) > longest:
        raise refused(2388040, "Text too long", f"The {what.lower()} can have {longest} characters, not {len(text)}.")
    return text


def _check_variables(text: str, *, named: bool, subcode: int) -> list[str]:
    """Names of the right kind, positional ones from 1 without gaps."""
    names = variables(text)
    if "{{" in VARIABLE.sub("", text) or "}}" in VARIABLE.sub("", text):
        raise refused(subcode, "Variable format", "Variables are written {{1}} or {{name}}.")
    if named:
        wrong = [name for name in names if not NAMED_VARIABLE.match(name)]
        if wrong:
            raise refused(subcode, "Variable format", "Named variables use lower-case letters, digits and underscores.")
    elif sorted(names) != sorted(str(number) for number in range(1, len(names) + 1)):
        raise refused(subcode, "Variable format", "Positional variables count from {{1}} without gaps.")
    return names


def _check_header(component: Json, *, named: bool) -> None:
    fmt = str(component.get("format", "")).upper()
    example = component.get("example") if isinstance(component.get("example"), dict) else {}
    if fmt == "LOCATION":
        return
    if fmt in MEDIA_HEADERS:
        handles = example.get("header_handle") if example else None
        if not isinstance(handles, list) or not handles:
            raise refused(2388047, "Header example missing", "A media header needs example.header_handle.")
        return
    if fmt != "TEXT":
        raise refused(2388047, "Header format", "format must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION.")
    text = _text(component, 60, "Header")
    if "\n" in text:
        raise refused(2388047, "Header format", "The header cannot have line breaks.")
    names = _check_variables(text, named=named, subcode=2388047)
    if len(names) > 1:
        raise refused(2388047, "Header format", "The header can have one variable.")
    key = "header_text_named_params" if named else "header_text"
    if names and not _flat(example.get(key) if example else None, 1, named=named):
        raise refused(2388047, "Header example missing", f"The variable needs example.{key}.")


def _check_body(component: Json, category: str, *, named: bool) -> None:
    text = _text(component, 1024, "Body")
    names = _check_variables(text, named=named, subcode=2388073)
    if not names or category == "AUTHENTICATION":
        return
    stripped = text.strip()
    if stripped.startswith("{{") or stripped.endswith("}}"):
        raise refused(2388299, "Variable at the edge", "Variables cannot be at the start or end of the body.")
    if re.search(r"\}\}\s*\{\{", text):
        raise refused(2388073, "Adjacent variables", "Two variables need words between them.")
    words = len(VARIABLE.sub(" ", text).split())
    count = len(VARIABLE.findall(text))
    if words < WORDS_PER_VARIABLE * count:
        raise refused(2388293, "Too many variables", "The body has too many variables for its length.")
    example = component.get("example") if isinstance(component.get("example"), dict) else {}
    if named:
        if not _flat(example.get("body_text_named_params") if example else None, len(names), named=True):
            raise refused(2388073, "Body example missing", "Each variable needs example.body_text_named_params.")
        return
    rows = example.get("body_text") if example else None
    if not isinstance(rows, list) or not rows or not all(_flat(row, len(names), named=False) for row in rows):
        raise refused(2388073, "Body example missing", "Each variable needs an entry in example.body_text[0].")


def _flat(value: object, count: int, *, named: bool) -> bool:
    if not isinstance(value, list) or len(value) != count:
        return False
    if named:
        return all(isinstance(item, dict) and item.get("param_name") and item.get("example") for item in value)
    return all(isinstance(item, str) and item for item in value)


def _check_footer(component: Json) -> None:
    if "{{" in _text(component, 60, "Footer"):
        raise refused(2388072, "Footer format", "The footer cannot have variables.")


def _check_buttons(component: Json) -> None:
    buttons = component.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 10:
        raise refused(2388072, "Buttons format", "There can be 1 to 10 buttons.")
    kinds = [button.get("type") if isinstance(button, dict) else None for button in buttons]
    for kind in kinds:
        if kind not in BUTTON_LIMITS:
            raise refused(2388072, "Buttons format", f"Button type {str(kind)[:40]} is not supported.")
        if kinds.count(kind) > BUTTON_LIMITS[kind]:
            raise refused(2388072, "Buttons format", f"There can be {BUTTON_LIMITS[kind]} buttons of type {kind}.")
    replies = [index for index, kind in enumerate(kinds) if kind == "QUICK_REPLY"]
    if replies and replies[-1] - replies[0] + 1 != len(replies):
        raise refused(2388072, "Buttons format", "Quick replies must stand next to each other.")
    for button in buttons:
        _check_button(button)


def _check_button(button: Json) -> None:
    if button["type"] == "COPY_CODE":
        example = button.get("example")
        code = example[0] if isinstance(example, list) and example else example
        if not isinstance(code, str) or not 1 <= len(code) <= 20:
            raise refused(2388072, "Buttons format", "A coupon code needs an example of 1 to 20 characters.")
        return
    _text(button, 25, "Button")
    if button["type"] == "PHONE_NUMBER":
        phone = button.get("phone_number")
        if not isinstance(phone, str) or not 1 <= len(phone) <= 20:
            raise refused(2388072, "Buttons format", "phone_number must have 1 to 20 characters.")
    if button["type"] == "URL":
        _check_url(button)


def _check_url(button: Json) -> None:
    url = button.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise refused(2388072, "Buttons format", "url must be an http or https address.")
    if len(url) > 2000:
        raise refused(2388040, "Text too long", f"The url can have 2000 characters, not {len(url)}.")
    found = VARIABLE.findall(url)
    if found and (len(found) > 1 or not url.endswith("}}")):
        raise refused(2388072, "Buttons format", "The url can have one variable, at its end.")
    if found and not button.get("example"):
        raise refused(2388072, "Buttons format", "A url with a variable needs an example.")
