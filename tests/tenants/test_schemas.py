from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django_tenants.utils import schema_context

from tenants.errors import Conflict
from tenants.management.commands.migrate import schema_migrate
from tenants.models import Organization
from tenants.services.organizations import organization_create
from tenants.services.schemas import (
    TEMPLATE_SCHEMA,
    applied_digest,
    clone_statements,
    code_digest,
    migrations_digest,
    schema_create_empty,
    schema_drop,
    schema_exists,
)
from tests.tenants.catalogue import schema_catalogue

pytestmark = pytest.mark.django_db


def migrate_options() -> dict[str, Any]:
    from django.core.management.commands.migrate import Command

    parser = Command().create_parser("manage.py", "migrate")
    return {**vars(parser.parse_args(["--verbosity", "0", "--no-input"])), "args": ()} | {"skip_checks": True}


def test_a_cloned_schema_equals_one_made_by_all_migrations(db: None) -> None:
    cloned = organization_create(name="Cloned", slug="cloned")
    schema_create_empty("t_by_migrations")
    options = migrate_options()
    options.pop("args")
    assert schema_migrate("t_by_migrations", options)[:2] == ("t_by_migrations", "")

    made, expected = schema_catalogue(cloned.schema_name), schema_catalogue("t_by_migrations")

    for part in expected:
        assert made[part] == expected[part], part
    assert len(expected["columns"]) > 80
    assert [row for row in expected["constraints"] if row[2] == "f"], "foreign keys are compared"


def test_a_cloned_schema_has_the_template_s_migration_records_and_first_rows(db: None) -> None:
    from otp.models import OtpPolicy

    organization = organization_create(name="Cloned", slug="cloned")
    assert organization.schema_digest == code_digest() == applied_digest(organization.schema_name)
    with schema_context(organization.schema_name):
        assert OtpPolicy.objects.count() == 1
        # The identity counter goes on after the copied row.
        assert OtpPolicy.objects.create().pk == 2


def test_foreign_keys_of_a_clone_point_to_itself_and_to_public_never_to_the_template(db: None) -> None:
    organization = organization_create(name="Cloned", slug="cloned")
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT t.relnamespace::regnamespace::text FROM pg_constraint k
               JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
               WHERE k.contype = 'f' AND c.relnamespace = %s::regnamespace ORDER BY 1""",
            [organization.schema_name],
        )
        assert [row[0] for row in cursor.fetchall()] == ["public", organization.schema_name]


def test_an_organisation_is_made_in_less_than_two_seconds(db: None) -> None:
    started = time.perf_counter()
    organization_create(name="Quick", slug="quick", owner_email="o@quick.test", owner_password="a-long-test-password")
    assert time.perf_counter() - started < 2


def test_an_outdated_template_is_refused_and_nothing_stays(db: None) -> None:
    Organization.objects.filter(schema_name=TEMPLATE_SCHEMA).update(schema_digest="older")
    with pytest.raises(Conflict) as refused:
        organization_create(name="Early", slug="early")
    assert refused.value.code == "template_not_ready"
    assert not schema_exists("t_early")
    assert not Organization.objects.filter(slug="early").exists()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE VIEW {s}.odd AS SELECT 1 AS one", "relation odd"),
        ("CREATE TYPE {s}.odd AS ENUM ('a')", "type odd"),
        ("CREATE SEQUENCE {s}.odd", "sequence odd"),
        ("CREATE FUNCTION {s}.odd() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function odd"),
    ],
)
def test_an_object_that_cloning_does_not_know_is_named_and_not_left_out(db: None, statement: str, named: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(s=TEMPLATE_SCHEMA))
    with pytest.raises(RuntimeError, match=named):
        clone_statements(TEMPLATE_SCHEMA, "t_new")


def test_a_renamed_identity_sequence_keeps_its_name_in_the_clone(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SEQUENCE {TEMPLATE_SCHEMA}.otp_otppolicy_id_seq RENAME TO older_name_seq")
    organization = organization_create(name="Cloned", slug="cloned")
    names = [row[0] for row in schema_catalogue(organization.schema_name)["sequences"]]
    assert "older_name_seq" in names and "otp_otppolicy_id_seq" not in names


def test_the_digest_counts_tenant_apps_only_in_any_order() -> None:
    one, two, shared = ("messaging", "0001_initial"), ("contacts", "0001_initial"), ("tenants", "0001_initial")
    assert migrations_digest([one, two]) == migrations_digest([shared, two, one, one])
    assert migrations_digest([one]) != migrations_digest([one, two])


def test_public_and_template_are_never_dropped(db: None) -> None:
    for schema in ("public", TEMPLATE_SCHEMA):
        with pytest.raises(ValueError, match="must not be dropped"):
            schema_drop(schema)


def test_a_migrated_database_needs_no_new_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
