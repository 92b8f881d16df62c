"""Files of contacts: how they are read, and which are refused as a whole."""

from __future__ import annotations

import io
from datetime import date

import pytest

from contacts.models import Contact, ContactImport, CustomField
from messaging.media.files import media_storage
from tenants.errors import InvalidInput
from tests.contacts.importing import counts, do_import, reasons, workbook

pytestmark = pytest.mark.usefixtures("storage")


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_separators_and_line_ends_are_detected(in_schema, encoding, found, delimiter, end):
    lines = ["Nom;Téléphone", '"Zoé; d’Été, ""la|belle"" 1\t2";+22996123456', "", "Bruno;+22996123457"]
    text = end.join(lines).replace(";+", f"{delimiter}+").replace("Nom;", f"Nom{delimiter}")
    done = do_import(in_schema, text.encode(encoding))

    assert (done.encoding, done.delimiter, counts(done)) == (found, delimiter, {"read": 2, "created": 2})
    assert Contact.objects.get(phone="22996123456").name == 'Zoé; d’Été, "la|belle" 1 2'


def test_characters_that_the_chosen_encoding_cannot_read_are_mistakes_not_garbage(in_schema):
    done = do_import(in_schema, "phone,name\n+22996123456,Zoé\n+22996123457,Ada\n".encode("cp1252"), encoding="utf-8")

    assert counts(done) == {"read": 2, "created": 1, "failed": 1}
    assert reasons(done) == [(2, "", "has characters that cannot be read: choose another encoding")]


def test_excel_s_own_first_line_names_the_separator(in_schema):
    done = do_import(in_schema, "sep=;\r\nname;phone\r\nAda;+22996123456\r\n")

    assert (done.columns, counts(done)) == (["name", "phone"], {"read": 1, "created": 1})


def test_a_file_without_a_header_and_a_column_of_numbers(in_schema):
    done = do_import(in_schema, "96123456,Ada\n96123457,Grace\n")

    assert (done.has_header, done.mapping, counts(done)) == (False, ["phone", ""], {"read": 2, "created": 2})


def test_a_workbook_is_read_with_its_numbers_dates_and_the_values_of_its_formulas(in_schema):
    CustomField.objects.create(key="since", type="date")
    data = workbook(
        [["Name", "Phone", "since", "custom.note"], ["Ada", 22996123456, date(2024, 2, 3), "=1+1"], [None], [1.5]],
        "Other",
    )
    done = do_import(in_schema, data, filename="contacts.xlsx")

    assert (done.format, counts(done)) == ("xlsx", {"read": 2, "created": 1, "failed": 1})
    contact = Contact.objects.get()
    # Nobody has calculated the formula of this file: it has no value.
    assert (contact.phone, contact.custom) == ("22996123456", {"since": "2024-02-03"})
    assert reasons(done) == [(4, "Phone", "is required")]
    assert (done.rows_path, len(media_storage().listdir(done.path.rsplit("/", 1)[0])[1])) == ("", 1)


def zip_bomb():
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", b"0" * 60_000_000)
    return target.getvalue()


def plain_zip():
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("contacts.csv", "phone\n1")
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "has no rows"),
        (b"\n\n  \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "is not a text file: save it as CSV (UTF-8) or as XLSX"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "is a workbook of Excel 97-2003: save it as XLSX or CSV"),
        (b"PK\x03\x04" + b"x" * 600, "is damaged: it cannot be unpacked"),
        (plain_zip(), "is an archive, not a workbook: unpack it first"),
        (zip_bomb(), "is packed far more tightly than a list of contacts can be"),
        (b"phone" + b",x" * 300 + b"\n", "has 301 columns or more, at most 200 are allowed"),
        (b"phone," + b"x" * 3_000_000, "has a line of more than 1 MB: is it a file of rows?"),
    ],
)
def test_files_that_cannot_be_imported_are_refused_and_nothing_is_kept(in_schema, storage, data, reason):
    with pytest.raises(InvalidInput) as refusal:
        do_import(in_schema, data)

    assert (refusal.value.code, dict(refusal.value.fields)) == ("invalid_file", {"file": reason})
    assert not ContactImport.objects.exists()
    assert not list(storage.rglob("*.*"))


def test_a_file_that_is_too_large_is_refused(in_schema, settings):
    settings.CONTACT_IMPORT_MAX_BYTES = 1024
    with pytest.raises(InvalidInput, match="has 1026 bytes, at most 1024 are allowed"):
        do_import(in_schema, "phone\n" + "1" * 1020)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"mapping": ["name"]}, "mapping"),
        ({"mapping": ["name", "email"]}, "mapping"),
        ({"mapping": ["phone", "phone"]}, "mapping"),
        ({"mapping": ["phone", "custom.Not A Key"]}, "mapping"),
        ({"duplicates": "maybe"}, "duplicates"),
        ({"country": "XX"}, "country"),
        ({"group_id": 999}, "group"),
        ({"encoding": "klingon"}, "encoding"),
        ({"delimiter": "x"}, "delimiter"),
    ],
)
def test_wrong_options_are_named_and_nothing_is_kept(in_schema, storage, options, field):
    with pytest.raises(InvalidInput) as refusal:
        do_import(in_schema, "phone,name\n+22996123456,Ada\n", **options)

    assert list(refusal.value.fields) == [field]
    assert not ContactImport.objects.exists()
    assert not [path for path in storage.rglob("*") if path.is_file()]


def test_a_quotation_mark_that_is_never_closed_costs_its_row_and_not_the_file(in_schema):
    head = "phone,name\n+22996123456,Ada\n"
    lost = '+22996123457,"never closed\n' + "x" * 140_000 + "\n"
    done = do_import(in_schema, head + lost + "+22996123458,Grace\n")

    assert done.status == "completed"
    assert set(Contact.objects.values_list("name", flat=True)) == {"Ada", "Grace"}
    assert "quotation mark" in reasons(done)[0][2]
