"""The one error family that services raise. It knows nothing of HTTP: each surface and the admin translate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False)
class ServiceError(Exception):
    """A refusal that the caller can understand.

    `code` is stable and machine-readable (`channel_not_connected`), `message` is for people, `fields` maps a field's
    name to what is wrong with it. `retry_after` is in seconds, for limits.
    """

    code: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.message


class InvalidInput(ServiceError):
    """A value that cannot be accepted; `fields` names it."""


class NotFound(ServiceError):
    """No such object in this organisation."""


class Conflict(ServiceError):
    """The object's state does not allow it now."""


class Forbidden(ServiceError):
    """The caller may not do this."""


class LimitReached(ServiceError):
    """A quota or a rate is used up."""
