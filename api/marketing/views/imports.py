"""/contacts/import: contacts from a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _

from api.bodies import BodyInvalid, FieldProblem
from api.marketing.documents import data_of, file_operation, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.outputs.contacts import ImportErrorRow, ImportRow
from api.problems import Problem
from contacts.models import ContactImport, ImportProblem
from contacts.services.import_runs import problems_csv
from contacts.services.imports import contacts_import, import_cancel, import_get
from tenants.connection import connection

ImportAnswer = data_of("ImportAnswer", ImportRow)
ImportSaved = data_of("ImportSaved", ImportRow, message=True)
_PATH: Final = {"id": "The import's id."}
_ERRORS_SHOWN: Final = 50
_Status = ContactImport.Status


class ImportView(Endpoint):
    scope = "manage_contacts"
    field_names = {"mapping": "file"}

    @file_operation(
        id="importContacts",
        tag="Contacts",
        summary="Import contacts from a file",
        description="CSV or XLSX with a row of headings (name, email, phone, group, status, tags, language, timezone; "
        "others become custom fields). A small file is done when the answer comes; for a large one the answer is 202 "
        "and `status_url` tells how far it is. Numbers that are contacts already are updated, unless `duplicates` is "
        "`skip`.",
        answer=ImportSaved,
        done="What became of the rows.",
        fields={
            "duplicates": {"type": "string", "enum": ["update", "skip"], "default": "update"},
            "country": {"type": "string", "description": "Of numbers without a country code, such as GA."},
            "encoding": {"type": "string", "description": "Detected when it is left out."},
            "delimiter": {"type": "string", "description": "Detected when it is left out."},
        },
        errors=("plan_limit_reached",),
    )
    def post(self, call: Call) -> HttpResponse:
        source, filename = _file_of(call.request)
        given = call.request.POST
        found = contacts_import(
            organization=call.credential.organization,
            source=source,
            filename=filename,
            duplicates=given.get("duplicates") or ContactImport.Duplicates.UPDATE,
            encoding=given.get("encoding", ""),
            delimiter=given.get("delimiter", ""),
            country=given.get("country", ""),
        )
        if found.status == _Status.FAILED:
            raise BodyInvalid([FieldProblem("file", "invalid_file", found.reason)])
        if found.status == _Status.COMPLETED:
            return answer(_row(found), message=_("Import finished"))
        return answer(_row(found), message=_("Import started"), status=202)


class ImportStatusView(Endpoint):
    scope = "manage_contacts"

    @operation(
        id="getImport",
        tag="Contacts",
        summary="How far an import is",
        description="With the first rows that could not be imported.",
        answer=ImportAnswer,
        done="The import.",
        errors=("import_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        return answer(_row(import_get(import_id=id)))

    @operation(
        id="cancelImport",
        tag="Contacts",
        summary="Stop an import",
        description="What is imported stays.",
        answer=ImportSaved,
        done="Stopped.",
        errors=("import_not_found", "import_ended"),
        path=_PATH,
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        return answer(_row(import_cancel(import_id=id)), message=_("Import stopped"))


class ImportErrorsView(Endpoint):
    scope = "manage_contacts"

    @operation(
        id="getImportErrors",
        tag="Contacts",
        summary="The rows that were not imported",
        description="A CSV file with row, column, reason and the original values; corrected, it can be imported again.",
        answer=ImportAnswer,
        done="The file.",
        errors=("import_not_found",),
        path=_PATH,
    )
    def get(self, call: Call, id: int) -> StreamingHttpResponse:
        found = import_get(import_id=id)

        def lines() -> Iterator[str]:
            # The answer is read after the view has returned.
            connection.set_tenant(call.credential.organization)
            yield from problems_csv(contact_import=found)

        response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{found.pk}-errors.csv"'
        return response


def _file_of(request: HttpRequest) -> tuple[IO[bytes], str]:
    """The upload in the field `file`, and its name. Raises `BodyInvalid`, `Problem` invalid_form."""
    if not request.META.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
        raise Problem("invalid_form", "")
    try:
        file = request.FILES.get("file")
    except MultiPartParserError as error:
        raise Problem("invalid_form", str(error)) from error
    if not isinstance(file, UploadedFile) or file.file is None:
        raise BodyInvalid([FieldProblem("file", "required", "This field is required.")])
    return file.file, file.name or "contacts.csv"


def _row(found: ContactImport) -> ImportRow:
    problems = ImportProblem.objects.filter(contact_import_id=found.pk).order_by("row")[:_ERRORS_SHOWN]
    counts = found.counts
    return ImportRow(
        id=found.pk,
        status=found.status,
        total=counts["read"],
        imported=counts["created"] + counts["updated"] + counts["unchanged"],
        created=counts["created"],
        updated=counts["updated"],
        skipped=counts["skipped"] + counts["repeated"],
        failed=counts["failed"],
        percent_done=round(found.percent_done, 1),
        errors=[ImportErrorRow(problem.row, problem.column, problem.reason) for problem in problems],
        status_url=f"/api/contacts/import/{found.pk}",
    )
