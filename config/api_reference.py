"""An OpenAPI document laid out for a person: operations with their fields, answers, errors and a curl line."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Row:
    """One field: `depth` tells how far it is nested."""

    name: str
    type: str
    required: bool
    text: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A named JSON value as text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One status of an operation; `codes` are the problem codes that it can carry."""

    status: str
    text: str
    rows: list[Row] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be shown."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    scope: str
    parameters: list[Row]
    body: list[Row]
    # The other form of the body, sent as multipart/form-data.
    form: list[Row]
    examples: list[Example]
    answers: list[Answer]
    problems: list[Answer]
    curl: str
    form_curl: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Operations by tag: (name, description, operations)."""

    groups: list[tuple[str, str, list[Operation]]]


def reference_of(schema: dict[str, Any], *, mount: str, auth: str) -> Reference:
    """Lay out an OpenAPI 3.0 document as drf-spectacular writes it. `auth` is the header that carries the key."""
    components = schema["components"]["schemas"]
    operations = [
        (described["tags"][0], _operation(method, f"/{mount}{path}", described, components, auth))
        for path, methods in schema["paths"].items()
        for method, described in methods.items()
    ]
    return Reference(
        [
            (tag["name"], tag.get("description", ""), [item for name, item in operations if name == tag["name"]])
            for tag in schema["tags"]
        ]
    )


def _operation(method: str, path: str, described: dict[str, Any], components: dict[str, Any], auth: str) -> Operation:
    contents = described.get("requestBody", {}).get("content", {})
    content = contents.get("application/json", {})
    form = _resolve(contents.get("multipart/form-data", {}).get("schema", {}), components)
    examples = _examples(content)
    header = auth if described.get("security", [{}]) != [{}] else ""
    answers = [_answer(status, answer, components) for status, answer in described["responses"].items()]
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        text=_prose(described["description"].partition("\n\nScope:")[0]),
        scope=described.get("x-scope", ""),
        parameters=[_parameter(parameter) for parameter in described.get("parameters", [])],
        body=_rows(content.get("schema", {}), components),
        form=_rows(form, components),
        examples=examples,
        answers=[answer for answer in answers if answer.status < "400"],
        problems=[answer for answer in answers if answer.status >= "400"],
        curl="" if form and not content else _curl(method.upper(), path, examples, header),
        form_curl=_form_curl(path, form, header) if form else "",
    )


def _form_curl(path: str, form: dict[str, Any], auth: str) -> str:
    """The form's required fields as curl sends them."""
    lines = [f"curl $BASE_URL{path}", *([f'-H "{auth}"'] if auth else [])]
    for name in form.get("required", []):
        part = form["properties"][name]
        value = "@photo.jpg" if part.get("format") == "binary" else str(part.get("enum", ["…"])[0])
        lines.append(f"-F {shlex.quote(f'{name}={value}')}")
    return " \\\n  ".join(lines)


def _prose(text: str) -> SafeString:
    """`text` for the page: what stands between backticks becomes code."""
    parts = enumerate(_CODE.split(text))
    return format_html_join("", "{}", ([_code(part) if index % 2 else part] for index, part in parts))


def _code(text: str) -> SafeString:
    return format_html("<code>{}</code>", text)


def _parameter(parameter: dict[str, Any]) -> Row:
    kind = f"{_type(parameter['schema'])}, in the {parameter['in']}"
    return Row(parameter["name"], kind, bool(parameter.get("required")), _prose(parameter.get("description", "")))


def _answer(status: str, answer: dict[str, Any], components: dict[str, Any]) -> Answer:
    content: dict[str, Any] = next(iter(answer.get("content", {}).values()), {})
    examples = _examples(content)
    if status >= "400":
        return Answer(status, _prose(answer["description"]), codes=[example.name for example in examples])
    return Answer(
        status, _prose(answer["description"]), _rows(content.get("schema", {}), components), examples=examples
    )


def _examples(content: dict[str, Any]) -> list[Example]:
    return [
        Example(example.get("summary", name), json.dumps(example["value"], indent=2, ensure_ascii=False))
        for name, example in content.get("examples", {}).items()
    ]


def _rows(schema: dict[str, Any], components: dict[str, Any], depth: int = 0) -> list[Row]:
    schema = _resolve(schema, components)
    rows: list[Row] = []
    for name, part in schema.get("properties", {}).items():
        rows.append(
            Row(name, _type(part), name in schema.get("required", []), _prose(part.get("description", "")), depth)
        )
        inner = part.get("items", part)
        if "$ref" in inner:
            rows += _rows(inner, components, depth + 1)
    return rows


def _resolve(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]]
    return found


def _type(schema: dict[str, Any]) -> str:
    """For instance `string, 1 to 4096 characters` or `integer, 4 to 10, default 6`."""
    words = [_base(schema)]
    if "minLength" in schema or ("maxLength" in schema and schema.get("format") != "uri"):
        words.append(f"{schema.get('minLength', 0)} to {schema['maxLength']} characters")
    if "minimum" in schema:
        words.append(f"{schema['minimum']} to {schema['maximum']}")
    if "maxItems" in schema:
        words.append(f"{schema.get('minItems', 0)} to {schema['maxItems']:,} items")
    if "default" in schema:
        words.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(words)


def _base(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        text = " or ".join(schema["enum"])
    elif "$ref" in schema:
        text = "object"
    elif schema.get("type") == "array":
        inner = schema["items"]
        text = f"list of {inner.get('format') or inner.get('type', 'object')}s"
    elif isinstance(schema.get("additionalProperties"), dict):
        text = "object of strings"
    else:
        text = schema.get("format") or schema.get("type", "object")
    return f"{text} or null" if schema.get("nullable") else text


def _curl(method: str, path: str, examples: list[Example], auth: str) -> str:
    lines = [f"curl {'-X ' + method + ' ' if method != 'GET' else ''}$BASE_URL{path}"]
    if auth:
        lines.append(f'-H "{auth}"')
    if examples:
        lines += ['-H "Content-Type: application/json"', f"-d {shlex.quote(json.dumps(json.loads(examples[0].text)))}"]
    return " \\\n  ".join(lines)
