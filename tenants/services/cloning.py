"""The definition of a schema, read from PostgreSQL's catalogue and written out for another name, rows included.

`CREATE TABLE ... (LIKE ... INCLUDING ALL)` is not enough: it invents names for indexes, constraints and statistics (a
later migration that drops one by name would fail), leaves out foreign keys, triggers and storage parameters, and its
defaults go on using the source's sequences, types and functions. So everything is spelled out, as pg_dump does it.

The queries run with only pg_catalog in the search path: PostgreSQL then prints every other name with its schema, and
the source's name can be replaced by the target's.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction

from tenants.connection import connection

# What the schema holds. Only pg_depend has an index by schema: a condition on `relnamespace` reads the relations of all
# organisations, a quarter of a million rows with a thousand of them. An index belongs to its table, not to the schema.
_HELD: Final = """
    WITH held AS (
        SELECT classid, objid FROM pg_depend
         WHERE refclassid = 'pg_namespace'::regclass AND refobjid = %(schema)s::regnamespace)
    SELECT ARRAY(SELECT objid FROM held WHERE classid = 'pg_class'::regclass
                 UNION ALL SELECT i.indexrelid FROM held JOIN pg_index i ON i.indrelid = held.objid
                  WHERE held.classid = 'pg_class'::regclass)::oid[],
           ARRAY(SELECT objid FROM held WHERE classid = 'pg_type'::regclass)::oid[],
           ARRAY(SELECT objid FROM held WHERE classid = 'pg_proc'::regclass)::oid[]
"""

# What is refused by name instead of being copied in part: whoever needs one of these extends this module first.
_UNKNOWN: Final = """
    SELECT CASE c.relkind WHEN 'p' THEN 'partitioned table ' ELSE 'relation ' END || c.relname
      FROM pg_class c WHERE c.oid = ANY(%(relations)s) AND c.relkind NOT IN ('r', 'i', 'S', 'v', 'm')
    UNION ALL SELECT 'inheritance of ' || c.relname FROM pg_class c JOIN pg_inherits h ON h.inhrelid = c.oid
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'r'
    UNION ALL SELECT 'row level security of ' || c.relname FROM pg_class c
     WHERE c.oid = ANY(%(relations)s) AND c.relrowsecurity
    UNION ALL SELECT 'replica identity of ' || c.relname FROM pg_class c
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'r' AND c.relreplident <> 'd'
    UNION ALL SELECT 'rule ' || r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
     WHERE c.oid = ANY(%(relations)s) AND r.rulename <> '_RETURN'
    UNION ALL SELECT 'switched trigger ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
     WHERE c.oid = ANY(%(relations)s) AND NOT g.tgisinternal AND g.tgenabled <> 'O'
    UNION ALL SELECT 'type ' || t.typname FROM pg_type t
     WHERE t.oid = ANY(%(types)s) AND t.typtype IN ('c', 'r')
    UNION ALL SELECT 'aggregate ' || p.proname FROM pg_proc p
     WHERE p.oid = ANY(%(functions)s) AND p.prokind = 'a'
    UNION ALL SELECT 'operator ' || o.oprname FROM pg_operator o WHERE o.oprnamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'collation ' || o.collname FROM pg_collation o WHERE o.collnamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'text search configuration ' || o.cfgname FROM pg_ts_config o
     WHERE o.cfgnamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'extension ' || e.extname FROM pg_extension e WHERE e.extnamespace = %(schema)s::regnamespace
    ORDER BY 1
"""

_ENUMS: Final = """
    SELECT format('CREATE TYPE %%s AS ENUM (%%s)', t.oid::regtype,
                  string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder))
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
     WHERE t.oid = ANY(%(types)s) GROUP BY t.oid ORDER BY t.oid
"""
_DOMAINS: Final = """
    SELECT format('CREATE DOMAIN %%s AS %%s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod))
           || COALESCE(' DEFAULT ' || t.typdefault, '') || COALESCE(checks.text, '')
      FROM pg_type t LEFT JOIN LATERAL (
          SELECT string_agg(format(' CONSTRAINT %%I %%s', k.conname, pg_get_constraintdef(k.oid)), ''
                            ORDER BY k.conname) AS text
            FROM pg_constraint k WHERE k.contypid = t.oid) checks ON true
     WHERE t.oid = ANY(%(types)s) AND t.typtype = 'd' ORDER BY t.oid
"""
# Identity columns bring their own sequence; these are the free ones and those of `serial` columns.
_SEQUENCES: Final = """
    SELECT format('CREATE SEQUENCE %%s AS %%s', c.oid::regclass, format_type(q.seqtypid, NULL))
           || format(' START %%s INCREMENT %%s MINVALUE %%s MAXVALUE %%s CACHE %%s',
                     q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache)
           || CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END
      FROM pg_class c JOIN pg_sequence q ON q.seqrelid = c.oid
     WHERE c.oid = ANY(%(relations)s)
       AND NOT EXISTS (SELECT 1 FROM pg_depend d
                        WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i')
     ORDER BY c.oid
"""
# A function may need tables (a row type among its arguments), a table may need functions (a default, a CHECK).
_FUNCTIONS: Final = """
    SELECT pg_get_functiondef(p.oid) FROM pg_proc p
     WHERE p.oid = ANY(%(functions)s) AND p.prokind <> 'a'
       AND %(after_tables)s = EXISTS (
           SELECT 1 FROM pg_depend d LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
             LEFT JOIN pg_type e ON e.oid = t.typelem
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
              AND (d.refclassid = 'pg_class'::regclass OR t.typrelid <> 0 OR e.typrelid <> 0))
     ORDER BY p.oid
"""
_TABLES: Final = """
    SELECT format('CREATE %%sTABLE %%s (%%s)%%s', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
                  c.oid::regclass, concat_ws(', ', columns.text, keys.text), options.text)
      FROM pg_class c LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
      CROSS JOIN LATERAL (
          SELECT string_agg(
              quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
              || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END
              || CASE a.attgenerated WHEN 's' THEN format(' GENERATED ALWAYS AS (%%s) STORED', value.text)
                                     WHEN 'v' THEN format(' GENERATED ALWAYS AS (%%s) VIRTUAL', value.text)
                                     ELSE COALESCE(' DEFAULT ' || value.text, '') END
              || CASE WHEN a.attidentity = '' THEN '' ELSE (
                  SELECT format(' GENERATED %%s AS IDENTITY (SEQUENCE NAME %%s START %%s INCREMENT %%s MINVALUE %%s'
                                ' MAXVALUE %%s CACHE %%s%%s)',
                                CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                                q.seqrelid::regclass, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
                                CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END)
                    FROM pg_depend d JOIN pg_sequence q ON q.seqrelid = d.objid
                   WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'i' AND d.refclassid = 'pg_class'::regclass
                     AND d.refobjid = c.oid AND d.refobjsubid = a.attnum) END
              || CASE WHEN NOT a.attnotnull THEN '' ELSE COALESCE((
                  SELECT format(' CONSTRAINT %%I', k.conname) FROM pg_constraint k
                   WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]), '') || ' NOT NULL' END,
              ', ' ORDER BY a.attnum) AS text
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN LATERAL (SELECT pg_get_expr(d.adbin, d.adrelid) AS text FROM pg_attrdef d
                                WHERE d.adrelid = c.oid AND d.adnum = a.attnum) value ON true
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) columns
      CROSS JOIN LATERAL (
          SELECT string_agg(format('CONSTRAINT %%I %%s', k.conname, pg_get_constraintdef(k.oid)), ', '
                            ORDER BY k.contype = 'p' DESC, k.conname) AS text
            FROM pg_constraint k
           WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'c') AND k.convalidated) keys
      CROSS JOIN LATERAL (
          SELECT COALESCE(' WITH (' || string_agg(option, ', ') || ')', '') AS text FROM (
              SELECT unnest(c.reloptions) UNION ALL SELECT 'toast.' || unnest(toast.reloptions)) AS all_options(option)
          ) options
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'r' ORDER BY c.oid
"""
# What CREATE TABLE cannot say, in every supported version.
_COLUMN_SETTINGS: Final = """
    SELECT format('ALTER TABLE %%s ALTER COLUMN %%I SET %%s', c.oid::regclass, a.attname, setting)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      CROSS JOIN LATERAL unnest(ARRAY[
          CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || CASE a.attstorage
               WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
          CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END,
          CASE WHEN a.attstattarget >= 0 THEN 'STATISTICS ' || a.attstattarget END,
          '(' || array_to_string(a.attoptions, ', ') || ')']) setting
     WHERE c.oid = ANY(%(relations)s) AND c.relkind IN ('r', 'm') AND setting IS NOT NULL
     ORDER BY c.oid, a.attnum
"""
# An identity sequence is as wide as its column unless somebody changed one of them.
_SEQUENCE_TYPES: Final = """
    SELECT format('ALTER SEQUENCE %%s AS %%s', q.seqrelid::regclass, format_type(q.seqtypid, NULL))
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
      JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE c.oid = ANY(%(relations)s) AND a.atttypid <> q.seqtypid ORDER BY c.oid
"""
_VIEWS: Final = """
    SELECT format('CREATE %%sVIEW %%s%%s AS %%s',
                  CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END, c.oid::regclass,
                  COALESCE(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''),
                  rtrim(pg_get_viewdef(c.oid), '; ') || CASE WHEN c.relispopulated THEN '' ELSE ' WITH NO DATA' END)
      FROM pg_class c WHERE c.oid = ANY(%(relations)s) AND c.relkind IN ('v', 'm') ORDER BY c.oid
"""
_OWNED_SEQUENCES: Final = """
    SELECT format('ALTER SEQUENCE %%s OWNED BY %%s.%%I', c.oid::regclass, d.refobjid::regclass, a.attname)
      FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'S' AND d.refclassid = 'pg_class'::regclass
     ORDER BY c.oid
"""
_INDEXES: Final = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.oid = ANY(%(relations)s)
       AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
     ORDER BY c.oid
"""
# An index's own parameters are in its definition, those of a constraint's index are not.
_KEY_SETTINGS: Final = """
    SELECT format('ALTER INDEX %%s SET (%%s)', c.oid::regclass, array_to_string(c.reloptions, ', '))
      FROM pg_class c JOIN pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
     WHERE c.oid = ANY(%(relations)s) AND c.reloptions IS NOT NULL ORDER BY c.oid
"""
_STATISTICS: Final = """
    SELECT pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s
     WHERE s.stxrelid = ANY(%(relations)s) ORDER BY s.oid
"""
# A foreign key locks the table that it points to. Those of the platform, which everybody uses, come last.
_LATE_CONSTRAINTS: Final = """
    SELECT format('ALTER TABLE %%s %%s', c.oid::regclass,
                  string_agg(format('ADD CONSTRAINT %%I %%s', k.conname, pg_get_constraintdef(k.oid)), ', '
                             ORDER BY k.conname))
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class t ON t.oid = k.confrelid
     WHERE c.oid = ANY(%(relations)s) AND (k.contype = 'f' OR k.contype = 'c' AND NOT k.convalidated)
     GROUP BY c.oid, t.relnamespace IS DISTINCT FROM c.relnamespace AND k.contype = 'f'
     ORDER BY t.relnamespace IS DISTINCT FROM c.relnamespace AND k.contype = 'f', c.oid
"""
_TRIGGERS: Final = """
    SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
     WHERE c.oid = ANY(%(relations)s) AND NOT g.tgisinternal ORDER BY c.oid, g.tgname
"""
_COMMENTS: Final = """
    SELECT format('COMMENT ON %%s IS %%L', object, description) FROM (
        SELECT d.description, CASE
               WHEN d.objsubid > 0 THEN format('COLUMN %%s.%%I', c.oid::regclass, a.attname)
               ELSE CASE c.relkind WHEN 'i' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
                    WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END || ' ' || c.oid::regclass END AS object
          FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
          LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
         WHERE c.oid = ANY(%(relations)s)
        UNION ALL SELECT d.description, format('CONSTRAINT %%I ON %%s', k.conname, k.conrelid::regclass)
          FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid AND d.classoid = 'pg_constraint'::regclass
         WHERE k.conrelid = ANY(%(relations)s)
        UNION ALL SELECT d.description, format('ROUTINE %%s', p.oid::regprocedure)
          FROM pg_description d JOIN pg_proc p ON p.oid = d.objoid AND d.classoid = 'pg_proc'::regclass
         WHERE p.oid = ANY(%(functions)s)
        UNION ALL SELECT d.description, format('TYPE %%s', t.oid::regtype)
          FROM pg_description d JOIN pg_type t ON t.oid = d.objoid AND d.classoid = 'pg_type'::regclass
         WHERE t.oid = ANY(%(types)s)) AS commented
     ORDER BY object
"""
# A value of a type of the source's own has to change its type with the schema.
_COLUMNS: Final = """
    SELECT c.oid::regclass::text, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
           string_agg(quote_ident(a.attname) || CASE WHEN t.typnamespace <> c.relnamespace THEN ''
                      ELSE '::text::' || format_type(a.atttypid, a.atttypmod) END, ', ' ORDER BY a.attnum)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 JOIN pg_type t ON t.oid = a.atttypid
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'r' AND NOT a.attisdropped AND a.attgenerated = ''
     GROUP BY c.oid ORDER BY c.oid
"""
_COUNTERS: Final = """
    SELECT format('SELECT setval(%%L, %%s)', c.oid::regclass, last_value)
      FROM pg_class c CROSS JOIN LATERAL pg_sequence_last_value(c.oid) AS last_value
     WHERE c.oid = ANY(%(relations)s) AND c.relkind = 'S' AND last_value IS NOT NULL ORDER BY c.oid
"""


def clone_statements(source: str, target: str) -> list[str]:
    """SQL that makes `target` an equal of the schema `source`, in order; nothing is executed.

    Raises RuntimeError that names the objects when `source` holds kinds that cloning does not know.
    """
    with transaction.atomic(), connection.catalog_only(), connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(%s)", [target])
        new = cursor.fetchone()[0]
        definition = _definition(cursor, source)
    return [f"CREATE SCHEMA {new}", *(statement.replace(f"{source}.", f"{new}.") for statement in definition)]


def _definition(cursor: Any, source: str) -> list[str]:
    cursor.execute(_HELD, {"schema": source})
    held = dict(zip(("relations", "types", "functions"), cursor.fetchone(), strict=True))

    def texts(query: str, **parameters: Any) -> list[str]:
        cursor.execute(query, {"schema": source, **held, **parameters})
        return [row[0] for row in cursor.fetchall()]

    if unknown := texts(_UNKNOWN):
        raise RuntimeError(f"cloning {source} does not know: {', '.join(unknown)}")
    early, late = texts(_FUNCTIONS, after_tables=False), texts(_FUNCTIONS, after_tables=True)
    definition = [*texts(_ENUMS), *texts(_DOMAINS), *texts(_SEQUENCES)]
    definition += _unchecked(early)
    definition += [*texts(_TABLES), *texts(_COLUMN_SETTINGS), *texts(_SEQUENCE_TYPES), *texts(_OWNED_SEQUENCES)]
    definition += _unchecked(late)
    definition += [*_rows_copied(cursor, source, held), *texts(_COUNTERS), *texts(_VIEWS)]
    definition += [*texts(_INDEXES), *texts(_KEY_SETTINGS), *texts(_STATISTICS), *texts(_LATE_CONSTRAINTS)]
    return [*definition, *texts(_TRIGGERS), *texts(_COMMENTS)]


def _unchecked(functions: list[str]) -> list[str]:
    """Create functions without looking at the tables that their bodies name: those may come later."""
    if not functions:
        return []
    return ["SET LOCAL check_function_bodies TO off", *functions, "SET LOCAL check_function_bodies TO DEFAULT"]


def _rows_copied(cursor: Any, source: str, held: dict[str, list[int]]) -> list[str]:
    cursor.execute(_COLUMNS, held)
    tables = cursor.fetchall()
    if not tables:
        return []
    # One question for all tables: nearly all of a template's are empty.
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {table})"  # noqa: S608
            for number, (table, _, _) in enumerate(tables)
        )
    )
    filled = [tables[number] for (number,) in cursor.fetchall()]
    # The quoted name is the one that stays when the definition gets its new name.
    kept = f"{connection.ops.quote_name(source)}."
    return [
        f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "  # noqa: S608
        f"SELECT {values} FROM {table.replace(f'{source}.', kept, 1)}"
        for table, columns, values in filled
    ]
