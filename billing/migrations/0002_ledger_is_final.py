"""Entries of the ledger are never changed or deleted, whoever asks. (Dropping an organisation's schema is no deletion.)"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("billing", "0001_accounts_and_ledger")]
    operations: ClassVar = [
        migrations.RunSQL(
            """
            CREATE FUNCTION billing_ledger_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'entries of the ledger are never changed or deleted: write a correction';
            END $$;
            CREATE TRIGGER billing_ledger_is_final BEFORE UPDATE OR DELETE ON billing_ledgerentry
                FOR EACH ROW EXECUTE FUNCTION billing_ledger_is_final();
            """,
            "DROP TRIGGER billing_ledger_is_final ON billing_ledgerentry; DROP FUNCTION billing_ledger_is_final();",
        )
    ]
