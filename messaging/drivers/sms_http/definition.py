"""How one HTTP gateway is spoken to, read from a preset and what a channel changes about it.

Regular expressions are RE2: they come from users and run inside of the engine, so their time must be linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import re2

from messaging.drivers.base import ContentError, Scope, SendError
from messaging.drivers.problems import Reason
from messaging.drivers.texts import marked as _

PRESETS: Final = Path(__file__).parent / "presets"
DEFAULT_PRESET: Final = "json"
# What a text of a definition may contain in braces.
PLACEHOLDERS: Final = frozenset(
    {
        *("to", "to_plus", "to_00", "from", "text", "id", "dlr_url", "coding", "encoding", "segments"),
        *("username", "password", "access_token"),
    }
)
_PLACEHOLDER: Final = re.compile(r"\{([a-z0-9_]*)\}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,60}")
_STATUSES: Final = frozenset({"", "sent", "delivered", "failed"})
_TEXT_LENGTH: Final = 500
_ENTRIES: Final = 200
_ONE_OF: Final = _("must be one of: %(choices)s")
_UNKNOWN: Final = _("is unknown; there are %(known)s")
_SECTIONS: Final = frozenset({"label", "help", "send", "answer", "errors", "reports", "incoming", "callback_answer"})
_SEND: Final = frozenset({"method", "body", "auth", "headers", "query", "fields", "coding"})


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders: `parts` are literal and name by turns."""

    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[1::2]

    def fill(self, values: Mapping[str, str]) -> str | None:
        """The text; None when a value other than the message's text is empty: the parameter is then left out."""
        if any(not values[name] and name != "text" for name in self.names):
            return None
        return "".join(values[part] if place % 2 else part for place, part in enumerate(self.parts))


@dataclass(frozen=True, slots=True)
class Finder:
    """Where a value is in an answer: a dotted path into its JSON, or the first group of a pattern in its text.

    `equals`: what the value must be, for the sign of success; empty: anything.
    """

    path: tuple[str, ...] = ()
    pattern: Any = None
    equals: frozenset[str] = frozenset()

    def find(self, text: str, data: Any) -> str | None:
        """The value as text, or None."""
        if self.pattern is not None:
            match = self.pattern.search(text)
            return None if match is None else str(match.group(1 if self.pattern.groups else 0) or "")
        return value_text(value_at(data, self.path))

    def holds(self, text: str, data: Any) -> bool:
        """Whether the value is there, and is one of `equals`."""
        found = self.find(text, data)
        return found is not None and (not self.equals or found in self.equals)


@dataclass(frozen=True, slots=True)
class Definition:
    """A gateway, ready for use. `query` and `headers` are name -> template; `fields` is JSON whose texts are templates.

    `reports` and `incoming` stay plain JSON: they travel with each callback that is stored.
    """

    label: str
    help: str
    method: str
    body: str
    auth: str
    headers: Mapping[str, Template]
    query: Mapping[str, Template]
    fields: Any
    coding: Mapping[str, str]
    success: Finder | None
    message_id: Finder | None
    error_code: Finder | None
    error_text: Finder | None
    errors: Mapping[str, Mapping[str, Any]]
    reports: Mapping[str, Any]
    incoming: Mapping[str, Any]
    callback_answer: str
    # Every placeholder that occurs.
    names: frozenset[str] = field(default_factory=frozenset)

    def error(self, code: str, text: str) -> SendError | None:
        """The error that the table has for `code`."""
        return error_of(self.errors, code, text)


def error_of(errors: Mapping[str, Any], code: str, text: str) -> SendError | None:
    """The entry of an error table as an error; None when it has none for `code`. `text`: the gateway's own words."""
    entry = errors.get(code)
    if not isinstance(entry, Mapping):
        return None
    return SendError(
        code[:40],
        str(entry.get("reason") or text or f"The gateway refused the message ({code}).")[:_TEXT_LENGTH],
        retryable=entry.get("retryable") is True,
        scope=Scope(entry.get("scope", "message")),
        retry_after=entry.get("retry_after"),
        max_retries=entry.get("max_retries"),
        pauses=entry.get("pauses") is True,
        opt_out=entry.get("opt_out") is True,
    )


def value_at(data: Any, path: tuple[str, ...]) -> Any:
    """What is at a path of keys and places in lists; None when nothing is."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def value_text(value: Any) -> str | None:
    """A JSON value as the text that it is compared and stored as; None for null, objects and lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def path_of(text: str) -> tuple[str, ...]:
    """The steps of a dotted path."""
    return tuple(text.split(".")) if text else ()


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Name -> definition as JSON of every preset."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(PRESETS.glob("*.json"))}


@cache
def preset_definition(name: str) -> Definition:
    """A preset as it is. Raises `KeyError` for a name that there is not."""
    return _Reader().read(presets()[name])


def definition_of(preset: str, changes: Mapping[str, Any]) -> Definition:
    """The preset with a channel's changes: sections are merged key by key. Raises `ContentError`."""
    if preset not in presets():
        raise ContentError({"preset": Reason(_ONE_OF, choices=", ".join(presets()))})
    if not changes:
        return preset_definition(preset)
    return _Reader().read(_merged(presets()[preset], changes, depth=2))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any], depth: int) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = depth and isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value, depth - 1) if both else value  # type: ignore[arg-type]
    return merged


class _Reader:
    """Turns JSON into a `Definition` and collects everything that is wrong with it."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.names: set[str] = set()

    def read(self, raw: Mapping[str, Any]) -> Definition:
        self._known(raw, _SECTIONS, "definition")
        send, answer = self._section(raw, "send"), self._section(raw, "answer")
        self._known(send, _SEND, "definition.send")
        method = self._choice(send, "method", ("POST", "GET", "PUT"))
        auth, headers, query = self._auth(send)
        headers |= self._templates(send, "headers")
        for name, template in headers.items():
            if not _HEADER.fullmatch(name) or any(ord(char) < 32 for part in template.parts for char in part):
                self._add("send.headers", _("%(name)s cannot be a header"), name=repr(name[:60]))
        finders = {name: self._finder(answer, name) for name in ("success", "message_id", "error_code", "error_text")}
        definition = Definition(
            label=str(raw.get("label") or ""),
            help=str(raw.get("help") or ""),
            method=method,
            body=self._choice(send, "body", ("json", "form", "none")),
            auth=auth,
            headers=headers,
            query=query | self._templates(send, "query"),
            fields=self._fields(send.get("fields", {}), "send.fields", 0),
            coding=self._words(send, "coding", "send.coding"),
            success=finders["success"],
            message_id=finders["message_id"],
            error_code=finders["error_code"],
            error_text=finders["error_text"],
            errors=self._errors(raw),
            reports=self._callback(raw, "reports"),
            incoming=self._callback(raw, "incoming"),
            callback_answer=str(raw.get("callback_answer", "OK"))[:200],
            names=frozenset(self.names),
        )
        if not {"to", "to_plus", "to_00"} & self.names or "text" not in self.names:
            self._add("send", _("must pass on {to} and {text} somewhere"))
        if self.problems:
            raise ContentError(self.problems)
        return definition

    def _add(self, path: str, reason: str, **values: object) -> None:
        self.problems.setdefault(f"definition.{path}", Reason(reason, **values))

    def _known(self, raw: Mapping[str, Any], names: frozenset[str], path: str) -> None:
        for name in set(raw) - names:
            self.problems[f"{path}.{name}"] = Reason(_UNKNOWN, known=", ".join(sorted(names)))

    def _section(self, raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = raw.get(name, {})
        if isinstance(value, Mapping):
            return value
        self._add(name, _("must be an object"))
        return {}

    def _choice(self, owner: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
        value = owner.get(name, allowed[0])
        if value not in allowed:
            self._add(f"send.{name}", _ONE_OF, choices=", ".join(allowed))
            return allowed[0]
        return str(value)

    def _template(self, value: Any, path: str) -> Template:
        if not isinstance(value, str) or len(value) > _TEXT_LENGTH:
            self._add(path, _("must be a text of at most %(most)s characters"), most=_TEXT_LENGTH)
            return Template(("",))
        parts = _PLACEHOLDER.split(value)
        unknown = set(parts[1::2]) - PLACEHOLDERS
        if unknown:
            reason = _("%(name)s is unknown; there are %(known)s")
            self._add(path, reason, name=f"{{{min(unknown)}}}", known=", ".join(sorted(PLACEHOLDERS)))
            return Template(("",))
        self.names.update(parts[1::2])
        return Template(tuple(parts))

    def _templates(self, owner: Mapping[str, Any], name: str) -> dict[str, Template]:
        value = owner.get(name, {})
        if not isinstance(value, Mapping) or len(value) > _ENTRIES:
            self._add(f"send.{name}", _("must be an object"))
            return {}
        return {
            str(key): self._template(entry, f"send.{name}.{key}") for key, entry in value.items() if entry is not None
        }

    def _fields(self, value: Any, path: str, depth: int) -> Any:
        if depth > 5:
            self._add(path, _("is nested too deeply"))
            return None
        if isinstance(value, str):
            return self._template(value, path)
        if isinstance(value, Mapping):
            given = ((str(key), entry) for key, entry in value.items() if entry is not None)
            return {key: self._fields(entry, f"{path}.{key}", depth + 1) for key, entry in given}
        if isinstance(value, list):
            return [self._fields(entry, f"{path}.{place}", depth + 1) for place, entry in enumerate(value)]
        return value

    def _auth(self, send: Mapping[str, Any]) -> tuple[str, dict[str, Template], dict[str, Template]]:
        """(kind, headers, query) of the proof of identity."""
        auth = send.get("auth", {"type": "none"})
        kind = auth.get("type") if isinstance(auth, Mapping) else None
        if kind in ("none", "basic"):
            self.names.update({"username", "password"} if kind == "basic" else ())
            return str(kind), {}, {}
        if kind not in ("header", "query"):
            self._add("send.auth.type", _ONE_OF, choices="none, basic, header, query")
            return "none", {}, {}
        name, template = str(auth.get("name") or ""), self._template(auth.get("value"), "send.auth.value")
        if not name:
            self._add("send.auth.name", _("is required"))
        entry = {name: template}
        return str(kind), entry if kind == "header" else {}, entry if kind == "query" else {}

    def _finder(self, answer: Mapping[str, Any], name: str) -> Finder | None:
        raw, path = answer.get(name), f"answer.{name}"
        if raw is None:
            return None
        given = [key for key in ("path", "pattern") if isinstance(raw, Mapping) and isinstance(raw.get(key), str)]
        if len(given) != 1 or not raw[given[0]] or len(raw[given[0]]) > _TEXT_LENGTH:
            self._add(path, _("needs either path or pattern, a text"))
            return None
        equals = raw.get("equals", [])
        if not isinstance(equals, list):
            self._add(f"{path}.equals", _("must be a list"))
            equals = []
        wanted = frozenset(text for value in equals if (text := value_text(value)) is not None)
        if given == ["path"]:
            return Finder(path=path_of(raw["path"]), equals=wanted)
        try:
            return Finder(pattern=_pattern(raw["pattern"]), equals=wanted)
        except re2.error as error:
            self._add(f"{path}.pattern", _("is no regular expression (RE2): %(error)s"), error=_words(error))
            return None

    def _errors(self, raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        table = self._section(raw, "errors")
        for code, entry in table.items():
            for reason, values in _error_problems(entry):
                self._add(f"errors.{code}", reason, **values)
        return dict(table)

    def _words(self, owner: Mapping[str, Any], name: str, path: str) -> dict[str, str]:
        value = owner.get(name, {})
        if not isinstance(value, Mapping) or not all(isinstance(entry, str) for entry in value.values()):
            self._add(path, _("must be an object of texts"))
            return {}
        return dict(value)

    def _callback(self, raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        section = self._section(raw, name)
        for key, value in section.items():
            if key != "statuses" and not isinstance(value, str):
                self._add(f"{name}.{key}", _("must be the name of a parameter, or a dotted path"))
        statuses = section.get("statuses", {})
        if not isinstance(statuses, Mapping) or not all(
            isinstance(value, str) and value in _STATUSES for value in statuses.values()
        ):
            self._add(f"{name}.statuses", _('must map to sent, delivered, failed or "" (to be ignored)'))
        return section


def _pattern(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(text, options=options)


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else error
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))[:200]


def _error_problems(entry: Any) -> Iterator[tuple[str, dict[str, object]]]:
    """What is wrong with an entry of the error table: (reason, the values in it)."""
    if not isinstance(entry, Mapping):
        yield _("must be an object"), {}
        return
    flags, numbers = ("retryable", "pauses", "opt_out"), ("retry_after", "max_retries")
    if set(entry) - {"reason", "scope", *flags, *numbers}:
        yield _("has only %(names)s"), {"names": ", ".join(("reason", "scope", *flags, *numbers))}
    if not isinstance(entry.get("reason", ""), str):
        yield _("%(name)s must be a text"), {"name": "reason"}
    if entry.get("scope", "message") not in tuple(Scope):
        yield _("%(name)s must be one of: %(choices)s"), {"name": "scope", "choices": ", ".join(Scope)}
    if any(not isinstance(entry.get(name, False), bool) for name in flags):
        yield _("%(name)s must be true or false"), {"name": ", ".join(flags)}
    for name in numbers:
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
            yield _("%(name)s must be a number of at most %(most)s"), {"name": name, "most": 86_400}
