"""POST /files: files to be sent, uploaded or taken from a link. GET /files/{id}: one of them, or one received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError

from api.bodies import BodyInvalid, FieldProblem
from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import FileForm, FileInput
from api.gateway.outputs.files import FileKept, FileRow, FileState
from api.problems import Problem
from config.egress import FetchFailed
from messaging.drivers.registry import drivers
from messaging.media.files import file_create, file_from_link
from messaging.media.links import media_url
from messaging.models import MediaFile
from messaging.services.onboarding import driver_of_network
from tenants.services.keys import Credential

# What surrounds a file in a form.
_AROUND: Final = 65_536
_STATES: Final[Mapping[MediaFile.State, FileState]] = {
    MediaFile.State.PENDING: "pending",
    MediaFile.State.STORED: "stored",
    MediaFile.State.REFUSED: "refused",
    MediaFile.State.FAILED: "failed",
    MediaFile.State.REMOVED: "removed",
}


class FilesView(Endpoint):
    scope = "messages:send"

    @operation(
        id="createFile",
        tag="Messages",
        scope=scope,
        summary="Keep a file to send",
        description="Takes the file behind `link` (JSON), or an upload (a form, `multipart/form-data`). "
        'The answer\'s `id` is sent as `{"type": "image", "image": {"file": "<id>"}}`, as often as '
        "you like. Size and type are checked against the content for the type of channel.",
        body=FileInput,
        form=FileForm,
        answer=FileKept,
        done="The file is kept.",
        status=201,
        errors=("media_type", "media_refused", "url_not_allowed", "file_unreachable"),
    )
    def post(self, call: Call) -> HttpResponse:
        kind = call.request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        row = _from_form(call.request) if kind == "multipart/form-data" else _from_link(call)
        return json_response(FileKept(success=True, file=file_output(call.credential, row)).json(), 201)


class FileView(Endpoint):
    scope = "messages:read"

    @operation(
        id="getFile",
        tag="Messages",
        scope=scope,
        summary="Get a file",
        description="A file that was received or kept, with a short-lived link to its content.",
        answer=FileKept,
        done="The file.",
        errors=("file_unknown",),
        path={"id": "The file's id, as messages and events name it."},
    )
    def get(self, call: Call, id: str) -> HttpResponse:
        uuid = uuid_read(id)
        row = MediaFile.objects.select_related("channel").filter(uuid=uuid).first() if uuid else None
        # A test key does not see what came in on live channels.
        if row is None or (call.credential.is_test and row.channel is not None and not row.channel.is_sandbox):
            raise Problem("file_unknown", "There is no file with this id.")
        return json_response(FileKept(success=True, file=file_output(call.credential, row)).json())


def file_output(credential: Credential, row: MediaFile) -> FileRow:
    """A file as this surface shows it."""
    is_stored = row.state == MediaFile.State.STORED
    url = media_url(organization_uuid=credential.organization.uuid, file_uuid=row.uuid) if is_stored else None
    return FileRow(
        id=row.uuid,
        type=row.kind,
        state=_STATES[MediaFile.State(row.state)],
        reason=row.reason or None,
        mimeType=row.mime_type or None,
        size=row.size,
        sha256=row.sha256 if is_stored else None,
        name=row.filename or None,
        url=url,
    )


def _from_link(call: Call) -> MediaFile:
    given = call.body(FileInput)
    try:
        return file_from_link(
            url=given.link, kind=given.type, limits=driver_of_network(given.channel_type).media_limits
        )
    except FetchFailed as failure:
        raise Problem(
            "file_unreachable", failure.message, [FieldProblem("link", failure.code, failure.message)]
        ) from failure


def _from_form(request: HttpRequest) -> MediaFile:
    """An upload; Django keeps large ones on the disk while it reads them."""
    given = FileForm.read(_form(request).dict() | request.FILES.dict())
    upload: UploadedFile[bytes] = given.file
    assert upload.file is not None
    return file_create(
        source=upload.file,
        kind=given.type,
        declared=upload.content_type or "",
        filename=upload.name or "",
        limits=driver_of_network(given.channel_type).media_limits,
    )


def _form(request: HttpRequest) -> QueryDict:
    """The form's fields. What is larger than the largest file of any channel is not even read."""
    largest = max(limit.max_bytes for driver in drivers().values() for limit in driver.media_limits.values())
    if int(request.META.get("CONTENT_LENGTH") or 0) > largest + _AROUND:
        raise Problem("body_too_large", f"No channel takes files of more than {largest} bytes.")
    try:
        return request.POST
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise BodyInvalid([FieldProblem("body", "invalid_format", "This is not a readable form.")]) from error
