"""A worker that is killed in the middle of an import, and two that do the same one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from contacts.imports.chunks import ChunkReader
from contacts.models import Contact, ContactImport, Group, Identity
from contacts.services.import_runs import import_run
from contacts.services.imports import import_create, import_start

ROWS = 4_000
_WORKER = """
import sys, django
django.setup()
from django_tenants.utils import schema_context
from contacts.imports.chunks import ChunkReader
from contacts.services.import_runs import import_run
from tenants.models import Organization
ChunkReader.__init__.__kwdefaults__["size"] = 100
organization = Organization.objects.get(schema_name=sys.argv[1])
with schema_context(sys.argv[1]):
    import_run(organization=organization, import_id=int(sys.argv[2]))
"""


@pytest.fixture
def started(committed, storage):
    """(organisation, id, folder of files) of an import that has been started and that nobody works on."""
    organization = committed[0]
    lines = [
        "phone,name,group",
        *(f"+22996{number:06d},N{number},Group {number % 3}" for number in range(ROWS)),
        "1,x,",
    ]
    with schema_context(organization.schema_name):
        data = io.BytesIO("\n".join(lines).encode())
        made = import_create(organization=organization, source=data, filename="many.csv")
        import_start(organization=organization, import_id=made.pk)
    return organization, made.pk, storage


def assert_done_once(organization, pk):
    with schema_context(organization.schema_name):
        made = ContactImport.objects.get(pk=pk)
        assert (made.status, made.rows_read, made.rows_created, made.rows_failed) == ("completed", ROWS + 1, ROWS, 1)
        assert (made.rows_updated, made.rows_unchanged, made.problems.count()) == (0, 0, 1)
        assert (Contact.objects.count(), Identity.objects.count()) == (ROWS, ROWS)
        assert sum(Group.objects.values_list("member_count", flat=True)) == ROWS


def worker(organization, pk, media):
    database = f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{connection.settings_dict['NAME']}"
    environment = os.environ | {"DATABASE_URL": database, "MEDIA_ROOT": str(media)}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _WORKER, organization.schema_name, str(pk)]
    return subprocess.Popen(command, cwd=root, env=environment)


def test_a_worker_killed_in_the_middle_loses_nothing_and_repeats_nothing(started):
    organization, pk, media = started
    process = worker(organization, pk, media)
    try:
        with schema_context(organization.schema_name):
            while ContactImport.objects.get(pk=pk).rows_read < 500:
                assert process.poll() is None
                time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    with schema_context(organization.schema_name):
        made = ContactImport.objects.get(pk=pk)
        assert (made.status, made.rows_read < ROWS) == ("running", True)
        assert Contact.objects.count() == made.rows_created

        import_run(organization=organization, import_id=pk)
    assert_done_once(organization, pk)


def test_two_workers_at_once_import_every_row_once(started, monkeypatch):
    organization, pk, _ = started
    monkeypatch.setitem(ChunkReader.__init__.__kwdefaults__, "size", 100)
    begin, errors = threading.Barrier(2), []

    def work():
        try:
            with schema_context(organization.schema_name):
                begin.wait()
                # Whoever is overtaken stops; what is left is taken up again, as the agenda does.
                while ContactImport.objects.get(pk=pk).status == "running":
                    import_run(organization=organization, import_id=pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert_done_once(organization, pk)
