"""Meta's rules for a new template, all checked at once, so that a refusal after a day's review is rare.

Numbers: Meta's template reference (components, variables, buttons). Meta does not publish how many words a body needs
for each variable; two are what its refusals (subcode 2388293) allow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from messaging.drivers.base import ContentError
from messaging.drivers.problems import Problems, is_web_url
from messaging.drivers.templates import TemplateDraft
from messaging.drivers.texts import marked as _
from messaging.drivers.whatsapp_cloud.template import LANGUAGE, NAME

CATEGORIES: Final = ("UTILITY", "AUTHENTICATION", "MARKETING")
FORMATS: Final = ("POSITIONAL", "NAMED")
HEADER_LENGTH: Final = 60
BODY_LENGTH: Final = 1024
FOOTER_LENGTH: Final = 60
BUTTONS: Final = 10
BUTTON_TEXT: Final = 25
URL_LENGTH: Final = 2000
PHONE_LENGTH: Final = 20
COUPON_LENGTH: Final = 20
WORDS_PER_VARIABLE: Final = 2
# Type of a button -> how many of it one template may have.
BUTTON_LIMITS: Final[Mapping[str, int]] = {
    "QUICK_REPLY": 10,
    "URL": 2,
    "PHONE_NUMBER": 1,
    "COPY_CODE": 1,
    "OTP": 1,
    "FLOW": 1,
    "CATALOG": 1,
    "MPM": 1,
    "VOICE_CALL": 1,
}
MEDIA_HEADERS: Final = ("IMAGE", "VIDEO", "DOCUMENT")
_HEADER_FORMATS: Final = ("TEXT", *MEDIA_HEADERS, "LOCATION")
_OTP_TYPES: Final = ("COPY_CODE", "ONE_TAP", "ZERO_TAP")
_VARIABLE: Final = re.compile(r"\{\{([^{}]*)\}\}")
_NAMED: Final = re.compile(r"[a-z][a-z0-9_]*")
_ADJACENT: Final = re.compile(r"\}\}\s*\{\{")
_MAX_COMPONENTS: Final = 10


def variables_of(text: Any) -> list[str]:
    """The names within {{...}}, each once, in the order of appearance; nothing for what is no text."""
    return list(dict.fromkeys(_VARIABLE.findall(text))) if isinstance(text, str) else []


def kind_of(component: Mapping[str, Any]) -> str:
    """HEADER, BODY, FOOTER, BUTTONS ..., whatever case it is written in."""
    return str(component.get("type", "")).upper()


def check_draft(draft: TemplateDraft) -> None:
    """Raises `ContentError` with every problem of `draft` by its dotted path (`components.0.text`)."""
    problems = Problems()
    _check_identity(problems, draft)
    named = draft.parameter_format == "NAMED"
    owner = {"components": draft.components}
    seen: list[tuple[str, str | None]] = []
    for path, component in problems.objects(owner, "components", "", maximum=_MAX_COMPONENTS):
        kind = kind_of(component)
        check = _CHECKS.get(kind)
        if check is None:
            problems.add(f"{path}.type", _("must be one of: %(names)s"), names=", ".join(_CHECKS))
            continue
        seen.append((f"{path}.type", kind))
        check(problems, component, path, draft.category, named)
    problems.unique(seen, _("each component must be unique"))
    if isinstance(draft.components, list) and not any(kind == "BODY" for _, kind in seen):
        problems.add("components", _("must have a BODY"))
    problems.sendable(draft.components, "components")
    if problems.fields:
        raise ContentError(problems.fields)


def _check_identity(problems: Problems, draft: TemplateDraft) -> None:
    if not isinstance(draft.name, str) or not NAME.fullmatch(draft.name):
        problems.add("name", _("must have 1 to 512 characters of a-z, 0-9 and _"))
    if not isinstance(draft.language, str) or not LANGUAGE.fullmatch(draft.language):
        problems.add("language", _("must be a language code such as en or en_US"))
    if draft.category not in CATEGORIES:
        problems.add("category", _("must be one of: %(names)s"), names=", ".join(CATEGORIES))
    if draft.parameter_format not in FORMATS:
        problems.add("parameterFormat", _("must be one of: %(names)s"), names=", ".join(FORMATS))


def _check_variables(problems: Problems, text: str, where: str, *, named: bool) -> list[str]:
    """The names when they are all well formed: all named, or all numbers from 1 without gaps."""
    names = variables_of(text)
    rest = _VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest:
        problems.add(where, _("has braces that are no variable: write {{1}} or {{first_name}}"))
    elif any(name.isdigit() for name in names) and any(not name.isdigit() for name in names):
        problems.add(where, _("mixes numbered and named variables"))
    elif named and (wrong := [name for name in names if not _NAMED.fullmatch(name)]):
        problems.add(
            where,
            _("variables must be lower_snake names such as {{first_name}}: %(names)s"),
            names=", ".join(wrong)[:100],
        )
    elif not named and (wrong := [name for name in names if not name.isdigit()]):
        problems.add(
            where, _("needs parameterFormat NAMED for named variables: %(names)s"), names=", ".join(wrong)[:100]
        )
    elif not named and sorted(names, key=int) != [str(number) for number in range(1, len(names) + 1)]:
        problems.add(where, _("variables must count from {{1}} without gaps"))
    else:
        return names
    return []


def _check_header(problems: Problems, header: Mapping[str, Any], path: str, category: str, named: bool) -> None:
    if category == "AUTHENTICATION":
        problems.add(path, _("AUTHENTICATION templates have no header"))
        return
    form = header.get("format")
    form = form.upper() if isinstance(form, str) else form
    if form not in _HEADER_FORMATS:
        problems.add(f"{path}.format", _("must be one of: %(names)s"), names=", ".join(_HEADER_FORMATS))
    elif form in MEDIA_HEADERS:
        if not _texts(_example(header).get("header_handle")):
            problems.add(f"{path}.example.header_handle", _("needs the handle of an uploaded sample file"))
    elif form == "TEXT":
        _check_header_text(problems, header, path, named)


def _check_header_text(problems: Problems, header: Mapping[str, Any], path: str, named: bool) -> None:
    text = problems.text(header, "text", path, maximum=HEADER_LENGTH)
    if text is None:
        return
    where = f"{path}.text"
    if "\n" in text or "\r" in text:
        problems.add(where, _("must not have line breaks"))
    names = _check_variables(problems, text, where, named=named)
    if len(names) > 1:
        problems.add(where, _("has %(count)s variables, at most 1 is allowed"), count=len(names))
    elif names:
        key = "header_text_named_params" if named else "header_text"
        _check_examples(problems, _example(header).get(key), f"{path}.example.{key}", names, named)


def _check_body(problems: Problems, body: Mapping[str, Any], path: str, category: str, named: bool) -> None:
    if category == "AUTHENTICATION":
        problems.flag(body, "add_security_recommendation", path)
        if body.get("text") is not None:
            problems.add(f"{path}.text", _("AUTHENTICATION templates have Meta's own text: leave it out"))
        return
    text = problems.text(body, "text", path, maximum=BODY_LENGTH)
    if text is None:
        return
    where = f"{path}.text"
    names = _check_variables(problems, text, where, named=named)
    if not names:
        return
    plain = text.strip()
    if plain.startswith("{{") or plain.endswith("}}"):
        problems.add(where, _("must not begin or end with a variable"))
    if _ADJACENT.search(text):
        problems.add(where, _("needs words between two variables"))
    count, words = len(_VARIABLE.findall(text)), len(re.findall(r"\w+", _VARIABLE.sub(" ", text)))
    if words < WORDS_PER_VARIABLE * count:
        problems.add(where, _("has too many variables (%(count)s) for its %(words)s words"), count=count, words=words)
    example = _example(body)
    if named:
        params = example.get("body_text_named_params")
        _check_examples(problems, params, f"{path}.example.body_text_named_params", names, named)
    else:
        rows = example.get("body_text")
        where = f"{path}.example.body_text"
        if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
            problems.add(where, _('must be a list of lists of values: [["Ada", "1042"]]'))
        else:
            for row in rows:
                _check_examples(problems, row, where, names, named)


def _check_examples(problems: Problems, given: Any, where: str, names: list[str], named: bool) -> None:
    if named:
        known = (
            {item.get("param_name") for item in given if isinstance(item, dict) and item.get("example")}
            if (isinstance(given, list))
            else set()
        )
        if known != set(names):
            problems.add(where, _("needs an example for each of: %(names)s"), names=", ".join(names))
    elif not _texts(given) or len(given) != len(names):
        problems.add(where, _("needs as many examples as there are variables: %(count)s"), count=len(names))


def _check_footer(problems: Problems, footer: Mapping[str, Any], path: str, category: str, named: bool) -> None:
    if category == "AUTHENTICATION":
        minutes = footer.get("code_expiration_minutes")
        if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= 90:
            problems.add(f"{path}.code_expiration_minutes", _("must be a whole number from 1 to 90"))
        return
    text = problems.text(footer, "text", path, maximum=FOOTER_LENGTH)
    if text and "{{" in text:
        problems.add(f"{path}.text", _("must not have variables"))


def _check_buttons(problems: Problems, owner: Mapping[str, Any], path: str, category: str, named: bool) -> None:
    kinds: list[str | None] = []
    for where, button in problems.objects(owner, "buttons", path, maximum=BUTTONS):
        kind = problems.choice(button, "type", where, tuple(BUTTON_LIMITS))
        kinds.append(kind)
        if kind is None:
            continue
        if category == "AUTHENTICATION" and kind != "OTP":
            problems.add(f"{where}.type", _("AUTHENTICATION templates have an OTP button only"))
        elif kind == "OTP" and category != "AUTHENTICATION":
            problems.add(f"{where}.type", _("OTP buttons belong to AUTHENTICATION templates"))
        _check_button(problems, button, kind, where)
    for kind, limit in BUTTON_LIMITS.items():
        if kinds.count(kind) > limit:
            problems.add(
                f"{path}.buttons",
                _("has %(count)s buttons of type %(kind)s, at most %(most)s are allowed"),
                count=kinds.count(kind),
                kind=kind,
                most=limit,
            )
    replies = [index for index, kind in enumerate(kinds) if kind == "QUICK_REPLY"]
    if replies and replies[-1] - replies[0] + 1 != len(replies):
        problems.add(f"{path}.buttons", _("quick replies must stand next to each other"))


def _check_button(problems: Problems, button: Mapping[str, Any], kind: str, where: str) -> None:
    if kind == "COPY_CODE":
        example = button.get("example")
        code = example[0] if isinstance(example, list) and example else example
        if not isinstance(code, str) or not 1 <= len(code) <= COUPON_LENGTH:
            problems.add(f"{where}.example", _("needs a code of 1 to %(most)s characters"), most=COUPON_LENGTH)
        return
    if kind == "OTP":
        problems.choice(button, "otp_type", where, _OTP_TYPES)
    problems.text(button, "text", where, maximum=BUTTON_TEXT, required=kind != "OTP")
    if kind == "PHONE_NUMBER":
        problems.text(button, "phone_number", where, maximum=PHONE_LENGTH)
    elif kind == "URL":
        _check_url(problems, button, where)
    elif kind == "FLOW" and not any(button.get(key) for key in ("flow_id", "flow_name", "flow_json")):
        problems.add(f"{where}.flow_id", _("is required (or flow_name, or flow_json)"))


def _check_url(problems: Problems, button: Mapping[str, Any], where: str) -> None:
    url = problems.text(button, "url", where, maximum=URL_LENGTH)
    if not url:
        return
    if not is_web_url(_VARIABLE.sub("x", url)):
        problems.add(f"{where}.url", _("must be a URL that starts with http:// or https://"))
    found = _VARIABLE.findall(url)
    if found and (len(found) > 1 or not url.endswith("}}")):
        problems.add(f"{where}.url", _("may have one variable, at its end"))
    elif found and not _texts(_listed(button.get("example"))):
        problems.add(f"{where}.example", _("needs one full URL as an example"))


def _unchecked(problems: Problems, component: Mapping[str, Any], path: str, category: str, named: bool) -> None:
    """Structures with rules of their own, which Meta alone checks."""


_CHECKS: Final[Mapping[str, Callable[[Problems, Mapping[str, Any], str, str, bool], None]]] = {
    "HEADER": _check_header,
    "BODY": _check_body,
    "FOOTER": _check_footer,
    "BUTTONS": _check_buttons,
    "CAROUSEL": _unchecked,
    "LIMITED_TIME_OFFER": _unchecked,
}


def completed(draft: TemplateDraft) -> TemplateDraft:
    """`draft` with example values for the variables of header and body that have none: Meta's reviewers need some."""
    if not isinstance(draft.components, list):
        return draft
    named = draft.parameter_format == "NAMED"
    components = [_with_example(item, named) if isinstance(item, dict) else item for item in draft.components]
    return TemplateDraft(draft.name, draft.language, draft.category, components, draft.parameter_format)


def _with_example(component: dict[str, Any], named: bool) -> dict[str, Any]:
    kind, names = kind_of(component), variables_of(component.get("text"))
    if kind not in ("HEADER", "BODY") or not names or component.get("example") is not None:
        return component
    part = "body" if kind == "BODY" else "header"
    example: dict[str, Any]
    if named:
        example = {f"{part}_text_named_params": [{"param_name": name, "example": f"[{name}]"} for name in names]}
    else:
        values = [f"[{name}]" for name in sorted(names)]
        example = {"body_text": [values]} if part == "body" else {"header_text": values}
    return {**component, "example": example}


def _example(component: Mapping[str, Any]) -> Mapping[str, Any]:
    example = component.get("example")
    return example if isinstance(example, Mapping) else {}


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _texts(value: Any) -> bool:
    """Whether `value` is a list of texts with something in them."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(item, str) and item for item in value)
    )
