"""JSON bodies described once: the same field table reads a request and writes its OpenAPI schema.

    @dataclass(frozen=True, slots=True)
    class SendInput(Body):
        to: str = body_field("to", Text(8, 20))
        save: bool = body_field("saveContact", Flag(), default=False)

`SendInput.read(data)` gives the dataclass or raises `BodyInvalid` with every problem found; unknown fields are ignored.
Field types are in `api.body_types`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field. `field` is its path in the body (`recipients[3].to`), `code` is stable."""

    field: str
    code: str
    message: str


class BodyInvalid(Exception):
    """The body does not fit; `problems` names every field that does not."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class _Missing:
    """Marks "no value": None is a value in JSON."""


MISSING: Final = _Missing()
# Thousands of recipients can each be wrong: more than this nobody reads.
MAX_PROBLEMS: Final = 50


class Problems:
    """Collects what is wrong while a body is read."""

    def __init__(self) -> None:
        self.found: list[FieldProblem] = []

    def add(self, field: str, code: str, message: str) -> _Missing:
        """Note a problem (the first `MAX_PROBLEMS` are kept); returns MISSING, so that readers can return it."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(FieldProblem(field, code, message))
        return MISSING


class FieldType(ABC):
    """Reads one JSON value, and says in JSON Schema (OpenAPI 3.0) what it takes."""

    __slots__ = ()

    def nested(self) -> list[type[Body]]:
        """The bodies that the schema refers to."""
        return []

    @abstractmethod
    def read(self, value: Any, path: str, problems: Problems) -> Any:
        """The Python value, or MISSING after noting the problem."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the values that `read` takes."""


def body_field(name: str, kind: FieldType, *, default: Any = MISSING, help: str = "") -> Any:
    """A dataclass field read from the JSON member `name`; required unless it has a default."""
    metadata = {"name": name, "kind": kind, "help": help}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a body: attribute, JSON name, type, default (MISSING: required)."""

    attribute: str
    name: str
    kind: FieldType
    default: Any
    help: str


_known: dict[type[Body], tuple[Member, ...]] = {}


def members_of(body: type[Body]) -> tuple[Member, ...]:
    """The members of a body in their order."""
    members = _known.get(body)
    if members is None:
        members = _known[body] = _members_read(body)
    return members


def _members_read(body: type[Body]) -> tuple[Member, ...]:
    return tuple(
        Member(
            attribute=field.name,
            name=field.metadata["name"],
            kind=field.metadata["kind"],
            default=MISSING if field.default is dataclasses.MISSING else field.default,
            help=field.metadata["help"],
        )
        for field in dataclasses.fields(body)
    )


@dataclass(frozen=True, slots=True)
class Body:
    """Base of request bodies. `component` is the name of its schema."""

    component: ClassVar[str]
    # Whole-body examples for the schema: title -> value.
    examples: ClassVar[dict[str, dict[str, Any]]] = {}
    # Whether null says the same as leaving a member out.
    null_is_absent: ClassVar[bool] = False

    @classmethod
    def read(cls, data: Any) -> Self:
        """The body in `data` (parsed JSON). Raises `BodyInvalid`."""
        problems = Problems()
        body = cls.read_at(data, "", problems)
        if problems.found or body is None:
            raise BodyInvalid(problems.found)
        return body

    @classmethod
    def read_at(cls, data: Any, path: str, problems: Problems) -> Self | None:
        """The body in `data` found at `path`; None after noting what is wrong."""
        if not isinstance(data, dict):
            problems.add(path or "body", "invalid_type", "A JSON object is expected.")
            return None
        before = len(problems.found)
        values: dict[str, Any] = {}
        for member in members_of(cls):
            where = f"{path}.{member.name}" if path else member.name
            value = data.get(member.name, MISSING)
            if value is None and cls.null_is_absent:
                value = MISSING
            values[member.attribute] = _member_read(member, value, where, problems)
        return cls(**values) if len(problems.found) == before else None

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON Schema of the body; bodies within it are references."""
        required = [member.name for member in members_of(cls) if member.default is MISSING]
        properties = {member.name: _member_schema(member) for member in members_of(cls)}
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        return schema | ({"required": required} if required else {})

    @classmethod
    def nested(cls) -> list[type[Body]]:
        """The bodies that the schema refers to."""
        return [body for member in members_of(cls) for body in member.kind.nested()]


def _member_read(member: Member, value: Any, where: str, problems: Problems) -> Any:
    if value is MISSING:
        if member.default is MISSING:
            return problems.add(where, "required", "This field is required.")
        return member.default
    return member.kind.read(value, where, problems)


def _member_schema(member: Member) -> dict[str, Any]:
    schema = member.kind.schema()
    if member.help:
        schema["description"] = member.help
    if member.default is not MISSING and member.default is not None:
        schema["default"] = member.default
    return schema
