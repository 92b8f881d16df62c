"""Bodies and queries of text templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from api.bodies import body_field
from api.body_types import Choice, Flag, TextMap
from api.date_types import FlagText
from api.marketing.inputs.form import CATEGORIES, NAME, TEXT, Examples, Form
from api.marketing.pagination import PageQuery


@dataclass(frozen=True, slots=True)
class TemplatesQuery(PageQuery):
    component: ClassVar[str] = "TemplatesQuery"

    category: str | None = body_field("category", Choice(CATEGORIES), default=None)
    is_public: bool | None = body_field("is_public", FlagText(), default=None)


@dataclass(frozen=True, slots=True)
class TemplateInput(Form):
    component: ClassVar[str] = "TemplateInput"
    examples: ClassVar[Examples] = {
        "A welcome": {
            "name": "Welcome Message",
            "content": "Bonjour {nom}, bienvenue chez nous! Votre email: {email}",
            "category": "notifications",
            "is_public": False,
        }
    }

    name: str = body_field("name", NAME)
    content: str = body_field("content", TEXT)
    category: str = body_field("category", Choice(CATEGORIES), default="other")
    is_public: bool = body_field("is_public", Flag(), default=False, help="For everybody in the organisation.")


@dataclass(frozen=True, slots=True)
class TemplateChange(Form):
    component: ClassVar[str] = "TemplateChange"

    name: str | None = body_field("name", NAME, default=None)
    content: str | None = body_field("content", TEXT, default=None)
    category: str | None = body_field("category", Choice(CATEGORIES), default=None)
    is_public: bool | None = body_field("is_public", Flag(), default=None)


@dataclass(frozen=True, slots=True)
class PreviewInput(Form):
    component: ClassVar[str] = "PreviewInput"
    examples: ClassVar[Examples] = {
        "With braces": {"sample_data": {"{nom}": "Jean Dupont", "{email}": "jean@example.com"}}
    }

    sample_data: dict[str, str] = body_field(
        "sample_data", TextMap(), default=None, help="Names with or without braces."
    )
