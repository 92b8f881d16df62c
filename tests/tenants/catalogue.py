"""What PostgreSQL knows of a schema, as plain rows with the schema's own name taken out: equal schemas, equal rows."""

from __future__ import annotations

import re
from typing import Any

from django.db import connection

_PARTS = {
    "columns": """
        SELECT c.relname, c.relkind, c.relpersistence, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression, co.collname,
               pg_get_expr(d.adbin, d.adrelid)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
          LEFT JOIN pg_collation co ON co.oid = a.attcollation
         WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')""",
    "constraints": """
        SELECT c.relname, k.conname, k.contype, k.condeferrable, k.condeferred, k.convalidated,
               pg_get_constraintdef(k.oid)
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE c.relnamespace = %(schema)s::regnamespace""",
    "indexes": """
        SELECT c.relname, i.indisunique, i.indisprimary, i.indisvalid, pg_get_indexdef(i.indexrelid)
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = %(schema)s::regnamespace""",
    "sequences": """
        SELECT c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
               t.relname, d.deptype
          FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid
          LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
          LEFT JOIN pg_class t ON t.oid = d.refobjid
         WHERE c.relnamespace = %(schema)s::regnamespace""",
    "others": """
        SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'trigger', t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal""",
}


def schema_catalogue(schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """Part of the catalogue -> sorted rows of `schema`; its name reads `SCHEMA` in definitions."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SET search_path TO pg_catalog")
        for part, sql in _PARTS.items():
            cursor.execute(sql, {"schema": schema})
            rows = [tuple(_neutral(value, schema) for value in row) for row in cursor.fetchall()]
            found[part] = sorted(rows, key=repr)
    connection.set_schema_to_public()
    return found


def _neutral(value: Any, schema: str) -> Any:
    if not isinstance(value, str):
        return value
    # PostgreSQL prints `x = ANY (ARRAY[a::varchar]::text[])` and reads that back with the cast inside the array: the
    # same condition in another spelling, as a dump and restore gives it too. Casts and brackets are left out here.
    plain = re.sub(r"::(?:character varying|text|smallint|integer)(?:\[\])?", "", value)
    return plain.replace("(", "").replace(")", "").replace(f"{schema}.", "SCHEMA.")
