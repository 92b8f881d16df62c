"""What a driver offers when its provider keeps message templates that must be approved before they are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messaging.drivers.base import ChannelInfo, HttpRequest, HttpResponse

Components = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """A template as somebody wants it. `parameter_format`: POSITIONAL ({{1}}) or NAMED ({{first_name}})."""

    name: str
    language: str
    category: str
    components: Components
    parameter_format: str = "POSITIONAL"


@dataclass(frozen=True, slots=True)
class TemplateCreated:
    """The provider took it. Status may be final at once, and the category may differ from the one asked for."""

    provider_id: str
    status: str
    category: str


@dataclass(frozen=True, slots=True)
class TemplateState:
    """A template as the provider lists it; words such as APPROVED as the provider writes them."""

    provider_id: str
    name: str
    language: str
    category: str
    status: str
    components: Components
    parameter_format: str = "POSITIONAL"
    quality: str = ""
    reason: str = ""
    previous_category: str = ""


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """One page of a list. `after` is the cursor of the next page, "" on the last one."""

    templates: tuple[TemplateState, ...]
    after: str


class CursorLost(Exception):
    """The provider does not know the cursor any more: the list has to be read from its beginning again."""


class TemplateDriver(ABC):
    """The part of a driver with `Capability.TEMPLATE`. All templates belong to the account, not to one number."""

    @abstractmethod
    def complete_template(self, draft: TemplateDraft) -> TemplateDraft:
        """`draft` with what can be filled in safely, such as example values that the provider's reviewers want."""

    @abstractmethod
    def check_template(self, draft: TemplateDraft) -> None:
        """Check every rule of the provider at once. Raises `ContentError` with all problems by dotted path."""

    @abstractmethod
    def check_template_values(self, components: Components, parameter_format: str, content: Mapping[str, Any]) -> None:
        """Check that a message's `content` fills exactly what the template asks for. Raises `ContentError`."""

    @abstractmethod
    def build_template_create(self, channel: ChannelInfo, draft: TemplateDraft) -> HttpRequest:
        """The request that submits `draft` for review."""

    @abstractmethod
    def read_template_create(self, response: HttpResponse) -> TemplateCreated:
        """Raises `SendError` when it is refused, `Ambiguous` when nobody can know."""

    @abstractmethod
    def build_template_list(self, channel: ChannelInfo, *, after: str = "") -> HttpRequest:
        """The request for one page of the account's templates."""

    @abstractmethod
    def read_template_list(self, response: HttpResponse) -> TemplatePage:
        """Raises `SendError`, `Ambiguous`, or `CursorLost`."""

    @abstractmethod
    def build_template_delete(self, channel: ChannelInfo, name: str) -> HttpRequest:
        """The request that deletes the template of this name in all its languages."""

    @abstractmethod
    def read_template_delete(self, response: HttpResponse) -> bool:
        """True when it was deleted, False when there was none. Raises `SendError` or `Ambiguous`."""
