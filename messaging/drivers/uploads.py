"""What a driver offers when its provider stores media: upload a file, look it up, download it. Sans-I/O as well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from messaging.drivers.base import ChannelInfo, HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file in memory. `content_type` is the bare MIME type, in lower case."""

    content: bytes
    content_type: str
    filename: str = ""


@dataclass(frozen=True, slots=True)
class MediaReference:
    """Where a provider keeps a file. `url` is short-lived; `size` in bytes, 0 when the provider does not say."""

    media_id: str
    url: str
    content_type: str
    sha256: str
    size: int


class MediaDriver(ABC):
    """The part of a driver with `Capability.MEDIA_UPLOAD`."""

    # For how many days the provider keeps an uploaded file.
    upload_days: ClassVar[int]

    @abstractmethod
    def build_media_upload(self, channel: ChannelInfo, file: UploadFile) -> HttpRequest:
        """The request that stores `file` at the provider."""

    @abstractmethod
    def read_media_upload(self, response: HttpResponse) -> str:
        """The provider's media id. Raises `SendError`, or `Ambiguous` when the answer says nothing."""

    @abstractmethod
    def build_media_get(self, channel: ChannelInfo, media_id: str) -> HttpRequest:
        """The request that asks where the file of a media id is."""

    @abstractmethod
    def read_media_get(self, response: HttpResponse) -> MediaReference:
        """Read the answer to `build_media_get`. Raises `SendError`, or `Ambiguous`."""

    @abstractmethod
    def build_media_download(self, channel: ChannelInfo, reference: MediaReference) -> HttpRequest:
        """The request that fetches the file. Raises `ValueError` when the URL is not one of the provider's."""
