"""Files of received messages: noted with the message, fetched by the agenda, tried again while the provider has them.

Nothing is fetched while a webhook is processed: a slow file would hold up everybody's messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final

import requests
import structlog
from django.db import connection
from django.utils import timezone

from config.egress import FetchFailed, UrlRefused, fetch
from messaging.dispatch.channel_state import channel_info
from messaging.drivers.base import Ambiguous, ChannelInfo, InboundMedia, MediaLimit, SendError
from messaging.drivers.registry import driver_of
from messaging.drivers.uploads import MediaDriver
from messaging.media.files import FETCH_SECONDS, Refused, file_check, file_store, files_remove, inbound_limits
from messaging.models import MediaFile
from messaging.provider_http import TooLarge, http_download, http_send
from tenants.agenda import agenda_handler, agenda_put
from tenants.fields import uuid7

log = structlog.get_logger(__name__)

KIND: Final = "media"
REMOVE_KIND: Final = "media_remove"
# Ids of received files live for seven days at Meta.
KEPT: Final = timedelta(days=7)
# Waits between attempts, in seconds; the last one is repeated until the provider has removed the file.
BACKOFF: Final = (10, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600)

_NOTE: Final = """
WITH made AS (
    INSERT INTO messaging_mediafile (uuid, message_id, channel_id, kind, mime_type, filename, sha256, state, reason,
                                     provider_media_id, source_url, path)
    SELECT uuid, message, %(channel)s, kind, mime_type, filename, sha256, 'pending', '', media_id, url, ''
    FROM unnest(%(uuids)s::uuid[], %(messages)s::bigint[], %(kinds)s::text[], %(types)s::text[], %(filenames)s::text[],
                %(hashes)s::text[], %(media_ids)s::text[], %(urls)s::text[])
         AS row(uuid, message, kind, mime_type, filename, sha256, media_id, url)
    RETURNING id)
INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
SELECT current_schema(), 'media', id::text, now() FROM made
"""


def media_note(*, channel_id: int, media: Sequence[tuple[int, InboundMedia]]) -> None:
    """Note the files of new messages, (message id, file) each, and put them on the agenda: one statement."""
    if not media:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "channel": channel_id,
                "uuids": [uuid7() for _ in media],
                "messages": [message_id for message_id, _ in media],
                "kinds": [file.kind for _, file in media],
                "types": [_clean(file.content_type)[:100] for _, file in media],
                "filenames": [_clean(file.filename)[:240] for _, file in media],
                "hashes": [file.sha256 for _, file in media],
                "media_ids": [file.media_id for _, file in media],
                "urls": [_clean(file.url) for _, file in media],
            },
        )


def media_forget(*, schema: str, message_ids: Sequence[int]) -> None:
    """Have the files of messages that were taken back removed, right after the transaction."""
    for message_id in message_ids:
        agenda_put(schema=schema, kind=REMOVE_KIND, key=str(message_id), due_at=timezone.now())


@agenda_handler(REMOVE_KIND)
def media_remove(schema: str, key: str) -> datetime | None:
    """Remove the files of one message that its author took back."""
    files_remove(message_ids=[int(key)], reason="The author took the message back.")
    return None


@agenda_handler(KIND)
def media_receive(schema: str, key: str) -> datetime | None:
    """Fetch one file. Returns when to try again, None when it is decided."""
    row = MediaFile.objects.select_related("channel", "message").filter(pk=int(key), state="pending").first()
    if row is None:
        return None
    if row.message is None or row.message.content.get("revoked") or row.channel is None:
        _decide(row, MediaFile.State.REMOVED, "The message is not there any more.")
        return None
    try:
        _fetch(row)
    except Refused as refusal:
        _decide(row, MediaFile.State.REFUSED, refusal.reason)
    except UrlRefused as refusal:
        _decide(row, MediaFile.State.REFUSED, refusal.message)
    except FetchFailed as failure:
        if failure.code in {"fetch_type", "fetch_too_large"}:
            _decide(row, MediaFile.State.REFUSED, failure.message)
        else:
            return _again(row, failure.message)
    except SendError as error:
        return _again(row, error.reason)
    except (Ambiguous, requests.RequestException) as error:
        return _again(row, f"The provider did not answer: {type(error).__name__}.")
    return None


def _fetch(row: MediaFile) -> None:
    """Fetch, check and store. Raises what the steps raise."""
    assert row.channel is not None
    driver = driver_of(row.channel.kind)
    limit = inbound_limits(driver.media_limits).get(row.kind)
    if limit is None:
        raise Refused(f"Files of kind {row.kind} are not taken here.")
    with TemporaryFile() as target:
        if row.provider_media_id:
            if not isinstance(driver, MediaDriver):
                raise Refused("This kind of channel has no files by id.")
            declared = _from_provider(driver, _info(row.channel), row, limit, target)
        else:
            found = fetch(row.source_url, max_bytes=limit.max_bytes, allowed_types=limit.types, timeout=FETCH_SECONDS)
            declared = found.content_type
            target.write(found.content)
        target.seek(0)
        checked = file_check(target, declared=declared, limit=limit, sha256=row.sha256)
        path = file_store(target, file_uuid=row.uuid)
    stored = MediaFile.objects.filter(pk=row.pk, state=MediaFile.State.PENDING).update(
        state=MediaFile.State.STORED,
        mime_type=checked.mime_type,
        size=checked.size,
        sha256=checked.sha256,
        path=path,
        reason="",
        stored_at=timezone.now(),
    )
    if not stored:
        # Taken back while it was fetched.
        row.path = path
        files_remove(message_ids=[row.message_id or 0], reason="The author took the message back.")


def _from_provider(
    driver: MediaDriver, info: ChannelInfo, row: MediaFile, limit: MediaLimit, target: BinaryIO | Any
) -> str:
    """Download by id into `target`; returns the declared type. The address is asked for anew: it lives for minutes."""
    reference = driver.read_media_get(http_send(driver.build_media_get(info, row.provider_media_id)))
    if reference.size > limit.max_bytes:
        raise Refused(f"The file has {reference.size} bytes, at most {limit.max_bytes} are allowed.")
    try:
        request = driver.build_media_download(info, reference)
    except ValueError as error:
        raise Refused(f"The provider's address is {error}.") from error
    try:
        status = http_download(request, target, max_bytes=limit.max_bytes)
    except TooLarge as error:
        raise Refused(f"The file is larger than {limit.max_bytes} bytes.") from error
    if status != 200:
        raise SendError(f"http_{status}", f"The provider answered HTTP {status} instead of the file.")
    return reference.content_type or row.mime_type


def _info(channel: Any) -> ChannelInfo:
    return channel_info(
        external_id=channel.external_id,
        account_id=channel.account_id,
        address=channel.address,
        config=channel.config,
        secrets=channel.secrets,
        is_sandbox=channel.is_sandbox,
    )


def _again(row: MediaFile, reason: str) -> datetime | None:
    """Try again later, unless the provider has removed the file by then."""
    at = timezone.now() + timedelta(seconds=BACKOFF[min(row.attempts, len(BACKOFF) - 1)])
    if at >= row.created_at + KEPT:
        _decide(row, MediaFile.State.FAILED, f"Given up after seven days. {reason}")
        return None
    MediaFile.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, reason=reason[:300])
    return at


def _decide(row: MediaFile, state: MediaFile.State, reason: str) -> None:
    MediaFile.objects.filter(pk=row.pk, state=MediaFile.State.PENDING).update(state=state, reason=reason[:300])
    log.info("media_not_stored", file=str(row.uuid), state=str(state), reason=reason)


def _clean(text: str) -> str:
    return text.replace("\x00", "")
