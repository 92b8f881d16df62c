"""unfold's decorators for columns and buttons, with types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.utils.functional import Promise

F = TypeVar("F", bound=Callable[..., Any])


class Badge(NamedTuple):
    """A key that decides the colour, and its text, which is all that a page without colours shows."""

    key: Any
    text: str

    def __str__(self) -> str:
        return str(self.text)


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
    from unfold.decorators import action
    from unfold.decorators import display as unfold_display

    def display(*, label: Any = None, **options: Any) -> Callable[[F], F]:
        """unfold's `display`, whose badges also read well where they are shown as plain text."""

        def decorate(function: F) -> Any:
            if not label:
                return unfold_display(**options)(function)

            @wraps(function)
            def badge(*arguments: Any) -> Any:
                value = function(*arguments)
                return Badge(*value) if isinstance(value, tuple) else value

            return unfold_display(label=label, **options)(badge)

        return decorate


__all__ = ["action", "display"]
