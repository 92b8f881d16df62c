"""Importing files of contacts: what is read, what is stored, what is refused, and that nothing happens twice."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta

import pytest
from openpyxl import Workbook

from audit.models import AuditEntry
from contacts.imports import chunks as chunks_module
from contacts.models import Contact, ContactImport, CustomField, Group, GroupMember, Identity, ImportMapping
from contacts.services import import_runs
from contacts.services.contacts import contact_create
from contacts.services.groups import group_create
from contacts.services.import_runs import problems_csv
from contacts.services.imports import (
    contacts_import,
    import_cancel,
    import_create,
    import_remove,
    import_reread,
    import_sample,
    import_start,
)
from messaging.media.files import media_storage
from tenants.errors import Conflict, InvalidInput
from tenants.models import AgendaItem, Subscription
from tenants.services.plans import plan_forget


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "media": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }
    return tmp_path


def do_import(organization, text, *, filename="contacts.csv", **options):
    data = text if isinstance(text, bytes) else text.encode()
    return contacts_import(organization=organization, source=io.BytesIO(data), filename=filename, **options)


def counts(contact_import):
    return {name: count for name, count in contact_import.counts.items() if count}


def reasons(contact_import):
    return [(row, column, reason) for row, column, reason in contact_import.problems.order_by("row").values_list(
        "row", "column", "reason")]  # fmt: skip


def workbook(rows, *more_sheets):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for name in more_sheets:
        book.create_sheet(name).append(["not", "these"])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_the_documented_file_makes_contacts_with_groups_and_identities(in_schema):
    done = do_import(
        in_schema,
        "name,email,phone,group,status\n"
        "Ada Sample,ada@example.com,+24162000001,Clients,active\n"
        "Grace Sample,grace@example.com,+24162000002,Partners,inactive\n",
    )

    assert (done.status, counts(done)) == ("completed", {"read": 2, "created": 2})
    ada, grace = Contact.objects.order_by("phone")
    assert (ada.name, ada.email, ada.phone, ada.status) == ("Ada Sample", "ada@example.com", "24162000001", "active")
    assert (grace.status, str(grace.primary_group)) == ("inactive", "Partners")
    assert list(Group.objects.values_list("name", "member_count")) == [("Clients", 1), ("Partners", 1)]
    assert list(Identity.objects.order_by("value").values_list("kind", "value", "contact_id")) == [
        ("phone", "24162000001", ada.pk),
        ("phone", "24162000002", grace.pk),
    ]
    assert not AgendaItem.objects.filter(kind=import_runs.IMPORT_KIND).exists()


def test_every_field_is_stored_in_its_form_and_custom_columns_keep_their_types(in_schema):
    CustomField.objects.create(key="birthday", type="date")
    CustomField.objects.create(key="visits", type="number")
    done = do_import(
        in_schema,
        "Prénom;Nom;Téléphone;Étiquettes;Langue;Fuseau horaire;birthday;visits;custom.shoe_size\n"
        "Ada;Sample;96123456;vip|new;fr;Africa/Porto-Novo;1990-02-03;4;38\n",
    )

    assert counts(done) == {"read": 1, "created": 1}
    contact = Contact.objects.get()
    assert (contact.name, contact.phone, contact.tags) == ("Ada Sample", "22996123456", ["new", "vip"])
    assert (contact.language, contact.timezone) == ("fr", "Africa/Porto-Novo")
    assert contact.custom == {"birthday": "1990-02-03", "visits": 4, "shoe_size": "38"}
    assert CustomField.objects.get(key="shoe_size").type == "text"


def test_people_who_are_contacts_are_updated_with_what_the_file_says_and_keep_the_rest(in_schema):
    contact = contact_create(
        organization=in_schema, phone="+22996123456", name="Ada", email="ada@example.com", group="Old", tags=["a"],
        custom_fields={"company": "One", "city": "Cotonou"},
    )  # fmt: skip
    done = do_import(
        in_schema,
        "phone,name,email,group,tags,custom.company\n+22996123456,Ada Sample,,New,b,Two\n+22996123456,,,,,\n",
    )

    assert counts(done) == {"read": 2, "updated": 1, "repeated": 1}
    contact.refresh_from_db()
    assert (contact.name, contact.email, contact.tags) == ("Ada Sample", "ada@example.com", ["a", "b"])
    assert contact.custom == {"company": "Two", "city": "Cotonou"}
    assert str(contact.primary_group) == "New"
    assert dict(Group.objects.values_list("name", "member_count")) == {"Old": 0, "New": 1}
    assert GroupMember.objects.count() == 1


def test_the_same_file_again_changes_nothing_and_tells_nobody(in_schema, told):
    text = "phone,name,group,tags\n+22996123456,Ada,Clients,vip\n"
    do_import(in_schema, text)
    before = told()

    assert counts(do_import(in_schema, text)) == {"read": 1, "unchanged": 1}
    assert [kind for kind, _ in before] == ["contact.created"]
    assert told() == before
    assert Group.objects.get().member_count == 1


def test_skip_leaves_contacts_as_they_are_but_the_last_row_of_the_file_still_wins(in_schema, monkeypatch):
    contact_create(organization=in_schema, phone="+22996123456", name="Ada")
    monkeypatch.setattr(chunks_module.ChunkReader.__init__, "__kwdefaults__", {"size": 1})
    group = group_create(name="Everybody")
    done = do_import(
        in_schema,
        "phone,name\n+22996123456,Other\n+22996123457,First\n+22996123457,Last\n",
        duplicates="skip",
        group_id=group.pk,
    )

    assert counts(done) == {"read": 3, "created": 1, "updated": 1, "skipped": 1}
    assert dict(Contact.objects.values_list("phone", "name")) == {"22996123456": "Ada", "22996123457": "Last"}
    group.refresh_from_db()
    assert group.member_count == 1


def test_a_contact_is_found_by_any_of_its_numbers(in_schema):
    contact = contact_create(organization=in_schema, phone="+22996123456", name="Ada")
    Identity.objects.create(contact=contact, kind="phone", value="33612345678")

    done = do_import(in_schema, "phone,name\n+33612345678,Ada Sample\n")

    assert counts(done) == {"read": 1, "updated": 1}
    contact.refresh_from_db()
    assert (contact.name, contact.phone, Contact.objects.count()) == ("Ada Sample", "22996123456", 1)


def test_rows_with_mistakes_are_told_with_row_column_and_reason_and_the_others_are_taken(in_schema):
    CustomField.objects.create(key="visits", type="number")
    done = do_import(
        in_schema,
        "phone,email,status,visits\n"
        "123,a@example.com,active,1\n"
        ",b@example.com,,\n"
        "+22996123456,not an address,sleepy,many\n"
        "\n"
        "+22996123457,c@example.com,,\n",
    )

    assert counts(done) == {"read": 4, "created": 1, "failed": 3}
    assert reasons(done) == [
        (2, "phone", "does not have the length of a number of its country"),
        (3, "phone", "is required"),
        (
            4,
            "email, status, visits",
            "email is not an e-mail address; status must be one of active, inactive; visits must be a number",
        ),
    ]


def test_the_file_of_mistakes_can_be_corrected_and_imported_and_holds_no_formula(in_schema):
    done = do_import(in_schema, 'name,phone\n"=HYPERLINK(""http://x"")",12\n@SUM(A1),+22996123456\n')
    lines = "".join(problems_csv(contact_import=done))

    assert lines == (
        '\ufeffrow,column,reason,name,phone\r\n2,phone,must have 8 to 20 characters,"\'=HYPERLINK(""http://x"")",12\r\n'
    )
    again = do_import(in_schema, lines.replace(",12\r\n", ",96123457\r\n"))
    assert counts(again) == {"read": 1, "created": 1}
    assert set(Contact.objects.values_list("name", flat=True)) == {'=HYPERLINK("http://x")', "@SUM(A1)"}


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


def test_what_the_plan_has_no_room_for_is_told_row_by_row(in_schema):
    plan = Subscription.objects.get(organization=in_schema).plan
    type(plan).objects.filter(pk=plan.pk).update(contacts=2)
    plan_forget()
    contact_create(organization=in_schema, phone="+22996123450", name="Known")
    try:
        done = do_import(
            in_schema, "phone,name\n+22996123451,a\n+22996123450,Changed\n+22996123452,b\n+22996123453,c\n"
        )
    finally:
        plan_forget()

    assert counts(done) == {"read": 4, "created": 1, "updated": 1, "failed": 2}
    assert [(row, reason) for row, _, reason in reasons(done)] == [
        (4, "the plan has no room for another contact"),
        (5, "the plan has no room for another contact"),
    ]
    assert set(Contact.objects.values_list("name", flat=True)) == {"a", "Changed"}


def test_events_are_told_in_full_and_the_audit_log_gets_one_entry_with_the_numbers(in_schema, told):
    contact_create(organization=in_schema, phone="+22996123456", name="Ada", email="a@example.com")
    before = len(told())
    AuditEntry.objects.all().delete()
    done = do_import(in_schema, "phone,name,group\n+22996123456,Ada Sample,Clients\n+22996123457,Grace,Clients\n")

    (first, updated), (second, created) = sorted(told()[before:], reverse=True)
    assert (first, updated["changed"]) == ("contact.updated", ["group", "name"])
    assert (second, created["contact"]["phone"], created["contact"]["group"]) == (
        "contact.created", "22996123457", "Clients",
    )  # fmt: skip
    entry = AuditEntry.objects.get(action__startswith="contact")
    assert (entry.action, entry.object_type, entry.object_id) == (
        "contacts.imported", "contacts.contactimport", str(done.pk),
    )  # fmt: skip
    assert entry.new_values | {"created": 1, "updated": 1, "read": 2, "status": "completed"} == entry.new_values


def test_a_row_that_the_database_refuses_is_told_and_the_others_are_stored(in_schema, monkeypatch):
    from contacts.imports import rows

    # Longer than the column: as if a check had been forgotten.
    monkeypatch.setitem(rows._CLEANERS, "language", lambda text: text)
    done = do_import(in_schema, "phone,language\n" + "".join(
        f"+2299612345{digit},{'x' * 20 if digit == 4 else 'fr'}\n" for digit in range(8)
    ))  # fmt: skip

    assert counts(done) == {"read": 8, "created": 7, "failed": 1}
    assert reasons(done) == [(6, "", "cannot be stored: value too long for type character varying(10)")]


def test_a_crash_between_chunks_goes_on_behind_the_last_one(in_schema, monkeypatch):
    monkeypatch.setattr(chunks_module.ChunkReader.__init__, "__kwdefaults__", {"size": 2})
    text = "phone,name\n" + "".join(f"+229961234{number:02d},N{number}\n" for number in range(9)) + "12,bad\n"
    made = import_create(organization=in_schema, source=io.BytesIO(text.encode()), filename="c.csv")
    import_start(organization=in_schema, import_id=made.pk)
    load, calls = import_runs.chunk_load, []

    def crashing(**arguments):
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError
        return load(**arguments)

    monkeypatch.setattr(import_runs, "chunk_load", crashing)
    with pytest.raises(MemoryError):
        import_runs.import_work(in_schema.schema_name, str(made.pk))
    made.refresh_from_db()
    assert (made.status, made.position, counts(made)) == ("running", 4, {"read": 3, "created": 3})

    assert import_runs.import_work(in_schema.schema_name, str(made.pk)) is None
    made.refresh_from_db()
    assert (made.status, counts(made)) == ("completed", {"read": 10, "created": 9, "failed": 1})
    assert (Contact.objects.count(), reasons(made)[0][0]) == (9, 11)


def test_a_worker_that_was_overtaken_stores_nothing(in_schema):
    made = import_create(organization=in_schema, source=io.BytesIO(b"phone\n+22996123456\n"), filename="c.csv")
    stale = import_start(organization=in_schema, import_id=made.pk)
    import_runs.import_run(organization=in_schema, import_id=made.pk)

    ContactImport.objects.filter(pk=made.pk).update(status="running")
    chunk = chunks_module.Chunk(read=1, offset=20, position=2)
    assert import_runs.chunk_load(organization=in_schema, contact_import=stale, chunk=chunk) is False
    made.refresh_from_db()
    assert counts(made) == {"read": 1, "created": 1}


def test_cancelling_stops_it_and_keeps_what_is_stored(in_schema):
    made = import_create(organization=in_schema, source=io.BytesIO(b"phone\n+22996123456\n"), filename="c.csv")
    import_start(organization=in_schema, import_id=made.pk)
    assert import_cancel(import_id=made.pk).status == "cancelled"

    assert import_runs.import_work(in_schema.schema_name, str(made.pk)) is None
    assert not Contact.objects.exists()
    with pytest.raises(Conflict):
        import_cancel(import_id=made.pk)
    with pytest.raises(Conflict):
        import_start(organization=in_schema, import_id=made.pk)


def test_a_large_file_waits_for_the_workers(in_schema):
    text = "phone\n" + "".join(f"+22996{number:06d}\n" for number in range(1001))
    made = do_import(in_schema, text)

    assert (made.status, made.rows_read) == ("running", 0)
    item = AgendaItem.objects.get(kind=import_runs.IMPORT_KIND)
    assert (item.key, item.schema) == (str(made.pk), in_schema.schema_name)
    assert import_runs.import_work(in_schema.schema_name, item.key) is None
    made.refresh_from_db()
    assert (made.status, made.percent_done, counts(made)) == ("completed", 100.0, {"read": 1001, "created": 1001})


def test_a_mapping_is_remembered_for_files_with_the_same_columns(in_schema):
    made = import_create(organization=in_schema, source=io.BytesIO(b"A,B\nx,+22996123456\n"), filename="c.csv")
    assert made.mapping == ["", "phone"]
    import_start(organization=in_schema, import_id=made.pk, mapping=["custom.shop", "phone"], remember_as="Till")
    assert ImportMapping.objects.get().targets == {"a": "custom.shop", "b": "phone"}

    assert do_import(in_schema, "B,A\n+22996123457,Two\n").mapping == ["phone", "custom.shop"]
    assert Contact.objects.get(phone="22996123457").custom == {"shop": "Two"}


def test_an_upload_is_looked_at_again_with_other_choices(in_schema):
    made = import_create(organization=in_schema, source=io.BytesIO("Zoé;96123456\n".encode("cp1252")), filename="c.csv")
    assert (made.delimiter, made.has_header) == (";", False)
    again = import_reread(import_id=made.pk, encoding="iso-8859-15", delimiter=",", has_header=True)
    assert (again.encoding, again.delimiter, again.columns) == ("iso-8859-15", ",", ["Zoé;96123456"])
    assert import_sample(contact_import=made).rows == [["Zoé", "96123456"]]


def test_removing_an_import_removes_its_file(in_schema, storage):
    done = do_import(in_schema, "phone\n+22996123456\n12\n")
    import_remove(import_id=done.pk)

    assert not ContactImport.objects.exists()
    assert not [path for path in storage.rglob("*") if path.is_file()]
    assert Contact.objects.count() == 1


def test_old_imports_go_with_their_files_and_running_ones_stay(in_schema, storage):
    from tenants.services.retention_rules import retention_rule

    old = do_import(in_schema, "phone\n+22996123456\n")
    running = import_create(organization=in_schema, source=io.BytesIO(b"phone\n+22996123457\n"), filename="r.csv")
    import_start(organization=in_schema, import_id=running.pk)
    do_import(in_schema, "phone\n+22996123458\n")
    long_ago = datetime.now(UTC) - timedelta(days=100)
    ContactImport.objects.filter(pk__in=[old.pk, running.pk]).update(created_at=long_ago)
    before = datetime.now(UTC) - timedelta(days=90)

    rule = retention_rule("imports")
    assert rule.ripe(before=before, position={}, most=10) == 1
    step = rule.step(before=before, position={})
    assert (step.removed, step.finished) == (1, True)
    assert set(ContactImport.objects.values_list("filename", flat=True)) == {"r.csv", "contacts.csv"}
    assert len([path for path in storage.rglob("*") if path.is_file()]) == 2
