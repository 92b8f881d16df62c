"""unfold's decorators for columns and buttons, with types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.functional import Promise

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:

    def action(
        *, description: str | Promise, url_path: str = "", icon: str = "", permissions: Iterable[str] = ()
    ) -> Callable[[F], F]:
        """A button or list action; `permissions` names `has_<name>_permission` methods."""

    def display(
        *, description: str | Promise, ordering: str = "", label: Mapping[Any, str] | bool = False
    ) -> Callable[[F], F]:
        """A column; with `label` its (key, text) is shown as a badge in the key's colour."""

else:
    from unfold.decorators import action, display

__all__ = ["action", "display"]
