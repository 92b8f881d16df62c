"""Runs of imports: mistakes of the database, crashes, cancelling, remembered mappings, and their end."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from contacts.imports import chunks as chunks_module
from contacts.models import Contact, ContactImport, ImportMapping
from contacts.services import import_runs
from contacts.services.imports import (
    import_cancel,
    import_create,
    import_remove,
    import_reread,
    import_sample,
    import_start,
)
from tenants.errors import Conflict
from tenants.models import AgendaItem
from tests.contacts.importing import counts, do_import, reasons

pytestmark = pytest.mark.usefixtures("storage")


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
