"""What answers of every kind share: refusals, pages, done and nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from api.outputs import Output


@dataclass(frozen=True, slots=True)
class Refusal(Output):
    component: ClassVar[str] = "Refusal"
    left_out: ClassVar[frozenset[str]] = frozenset({"errors"})
    notes: ClassVar[dict[str, str]] = {"errors": "A field's name -> what is wrong with it, a list of texts."}

    message: str
    errors: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Meta(Output):
    component: ClassVar[str] = "Meta"

    page: int
    per_page: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Done(Output):
    component: ClassVar[str] = "Done"

    message: str


@dataclass(frozen=True, slots=True)
class Nothing(Output):
    """204: no body."""

    component: ClassVar[str] = "Nothing"
