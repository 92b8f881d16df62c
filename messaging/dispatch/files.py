"""Files kept here, on their way out: uploaded to the provider once, or given to it as a link."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from messaging.dispatch.store import DATABASE_AWAY, Store
from messaging.dispatch.transport import NotSent, Transport
from messaging.drivers.base import Ambiguous, ChannelInfo, Driver, SendError
from messaging.drivers.uploads import MediaDriver, UploadFile
from messaging.media.files import media_storage
from messaging.media.links import media_url
from messaging.media.references import file_references, references_replace

# A provider fetches a link within seconds, and may try again for a while.
_LINK_SECONDS: Final = 24 * 3600


class FileResolver:
    """Turns references to files into what one channel's provider takes; remembers what it has found.

    Nothing of the message has left while this runs, so every failure is safe to try again.
    """

    def __init__(self, *, store: Store, transport: Transport) -> None:
        self._store = store
        self._transport = transport
        self._known: dict[str, Mapping[str, str]] = {}
        self._lock = asyncio.Lock()

    async def resolve(self, driver: Driver, info: ChannelInfo, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """`content` without references. Raises `SendError`."""
        for name in set(file_references(content)):
            # One upload per file, however many messages wait for it.
            async with self._lock:
                if name not in self._known:
                    try:
                        self._known[name] = await self._find(driver, info, name)
                    except DATABASE_AWAY as error:
                        raise SendError("database_away", "The file could not be looked up.", retryable=True) from error
        resolved: Mapping[str, Any] = references_replace(content, self._known.__getitem__)
        return resolved

    async def _find(self, driver: Driver, info: ChannelInfo, name: str) -> Mapping[str, str]:
        params = {"uuid": name, "channel": self._store.channel_id, "schema": self._store.schema}
        rows = await self._store.execute(self._store.sql.file, params)
        if not rows:
            raise SendError("file_missing", "The file is not there any more.")
        file_id, path, mime_type, filename, organization, media_id = rows[0]
        if not isinstance(driver, MediaDriver):
            link = media_url(organization_uuid=organization, file_uuid=UUID(name), seconds=_LINK_SECONDS)
            return {"link": link}
        if media_id is not None:
            return {"id": media_id}
        upload = await asyncio.to_thread(_read, path, mime_type, filename)
        media_id = await self._upload(driver, info, upload)
        params = {"file": file_id, "channel": self._store.channel_id, "media_id": media_id, "days": driver.upload_days}
        await self._store.execute(self._store.sql.file_copy, params)
        return {"id": media_id}

    async def _upload(self, driver: MediaDriver, info: ChannelInfo, upload: UploadFile) -> str:
        try:
            response = await self._transport.send(driver.build_media_upload(info, upload))
            return driver.read_media_upload(response)
        except (NotSent, Ambiguous) as error:
            raise SendError("upload_failed", "The file could not be given to the provider.", retryable=True) from error


def _read(path: str, mime_type: str, filename: str) -> UploadFile:
    try:
        with media_storage().open(path, "rb") as source:
            return UploadFile(source.read(), mime_type, filename)
    except FileNotFoundError as error:
        raise SendError("file_missing", "The file is not there any more.") from error
    except OSError as error:
        raise SendError("file_unreadable", "The file cannot be read now.", retryable=True) from error
