"""unfold's decorators for columns and buttons, with types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString

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
    from unfold.decorators import action
    from unfold.decorators import display as unfold_display

    def display(*, label: Any = None, **options: Any) -> Callable[[F], F]:
        """unfold's `display`, whose badges are also badges where a row is shown alone, and are rendered once."""

        def decorate(function: F) -> Any:
            if not label:
                return unfold_display(**options)(function)
            colours = label if isinstance(label, Mapping) else {}

            @wraps(function)
            def badge(*arguments: Any) -> Any:
                value = function(*arguments)
                key, text = value if isinstance(value, tuple) else (value, value)
                return _badge(colours.get(key, ""), str(text)) if text else "–"

            return unfold_display(**options)(badge)

        return decorate


@lru_cache(maxsize=1000)
def _badge(colour: str, text: str) -> SafeString:
    """A page shows the same few badges in all of its rows."""
    return render_to_string("unfold/helpers/label.html", {"type": colour, "text": text})


__all__ = ["action", "display"]
