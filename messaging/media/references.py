"""Contents that name a file kept here, `{"file": uuid}` in place of a link or a provider's id, at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

# What the JSON text of a content without such a reference never has in it; looked for before anything is parsed.
MARK: Final = '"file":'


def file_references(content: Any) -> Iterator[str]:
    """The uuids that `content` names, as they are written."""
    for _path, name in file_places(content):
        yield name


def file_places(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, uuid) of every reference, such as `image.file` or `template.components.0.parameters.0.image.file`."""
    if isinstance(content, Mapping):
        if isinstance(content.get("file"), str):
            yield f"{path}file", content["file"]
        for key, value in content.items():
            yield from file_places(value, f"{path}{key}.")
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from file_places(value, f"{path}{index}.")


def references_replace(content: Any, found: Callable[[str], Mapping[str, str]]) -> Any:
    """`content` with `found(uuid)` (`{"id": ...}` or `{"link": ...}`) in the place of each reference."""
    if isinstance(content, Mapping):
        rest = {key: references_replace(value, found) for key, value in content.items()}
        name = rest.get("file")
        if not isinstance(name, str):
            return rest
        del rest["file"]
        return rest | dict(found(name))
    return [references_replace(value, found) for value in content] if isinstance(content, list) else content
