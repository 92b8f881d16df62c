"""Answers about files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from api.outputs import Output

FileState = Literal["pending", "stored", "refused", "failed", "removed"]


@dataclass(frozen=True, slots=True)
class FileRow(Output):
    component: ClassVar[str] = "File"
    notes: ClassVar[dict[str, str]] = {
        "id": "What messages that you send name as `file`.",
        "state": "A file that was received is `pending` until it is fetched from the network, which takes seconds.",
        "reason": "Why it is not stored, in words.",
        "mimeType": "As its content shows, once it is stored.",
        "sha256": "In hex, once it is stored.",
        "url": "The content, without a key, for a few minutes; null unless it is stored.",
    }

    id: UUID
    type: str
    state: FileState
    reason: str | None
    mimeType: str | None
    size: int | None
    sha256: str | None
    name: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class FileKept(Output):
    component: ClassVar[str] = "FileKept"

    success: bool
    file: FileRow
