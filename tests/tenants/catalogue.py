"""What PostgreSQL knows of a schema, as plain rows with the schema's own name taken out: equal schemas, equal rows."""

from __future__ import annotations

import re
from typing import Any

from django.db import connection

_PARTS = {
    "columns": """
        SELECT c.relname, c.relkind, c.relpersistence, c.reloptions::text,
               -- Not attnum: a column that a migration took away leaves a gap, which a clone does not have.
               row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
               a.attcompression, a.attstattarget, a.attoptions::text, co.collname, pg_get_expr(d.adbin, d.adrelid)
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
        SELECT 'function', p.proname::text, pg_get_functiondef(p.oid) FROM pg_proc p
         WHERE p.pronamespace = %(schema)s::regnamespace AND p.prokind <> 'a'
        UNION ALL SELECT 'trigger', t.tgname::text, pg_get_triggerdef(t.oid)
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal
        UNION ALL SELECT 'view', c.relname, pg_get_viewdef(c.oid) FROM pg_class c
         WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('v', 'm')
        UNION ALL SELECT 'enum', t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
          FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
         WHERE t.typnamespace = %(schema)s::regnamespace GROUP BY t.oid, t.typname
        UNION ALL SELECT 'domain', t.typname, concat(format_type(t.typbasetype, t.typtypmod), t.typdefault, (
            SELECT string_agg(k.conname || pg_get_constraintdef(k.oid), ',' ORDER BY k.conname)
              FROM pg_constraint k WHERE k.contypid = t.oid))
          FROM pg_type t WHERE t.typnamespace = %(schema)s::regnamespace AND t.typtype = 'd'
        UNION ALL SELECT 'statistics', s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s
         WHERE s.stxnamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'index options', c.relname, c.reloptions::text FROM pg_class c
         WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'i'
        UNION ALL SELECT 'toast options', c.relname, t.reloptions::text
          FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.relnamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
          FROM pg_description d JOIN (
               SELECT 'pg_class'::regclass AS class, oid FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
               UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint
                WHERE connamespace = %(schema)s::regnamespace
               UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
               UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
          ) o ON o.class = d.classoid AND o.oid = d.objoid""",
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
