"""What PostgreSQL does for a statement: EXPLAIN (ANALYZE, BUFFERS), read and judged. Nothing that it does stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

# More rows than this are neither sorted nor read from end to end in anything that people or the engine wait for.
MOST_ROWS: Final = 10_000
_OWN: Final = {
    "Seq Scan": "Relation Name",
    "Index Scan": "Index Name",
    "Index Only Scan": "Index Name",
    "Bitmap Index Scan": "Index Name",
    "Sort": "",
    "Incremental Sort": "",
    "ModifyTable": "Relation Name",
}


@dataclass(slots=True)
class Plan:
    """One statement's plan. `nodes`: what was read by what, in words; `problems`: why it is not acceptable."""

    ms: float
    buffers: int
    nodes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def plan_of(cursor: Any, statement: str | bytes, params: Any = None) -> Plan:
    """Run the statement inside a transaction that is rolled back, and read its plan. `cursor` is psycopg's."""
    text = statement.encode() if isinstance(statement, str) else statement
    cursor.execute("BEGIN")
    try:
        cursor.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text, params)
        found = cursor.fetchone()[0]
    finally:
        cursor.execute("ROLLBACK")
    top = (json.loads(found) if isinstance(found, str) else found)[0]
    root = top["Plan"]
    plan = Plan(top["Execution Time"], root["Shared Hit Blocks"] + root["Shared Read Blocks"])
    for node in _walk(root):
        _judge(node, plan)
    plan.nodes = list(dict.fromkeys(plan.nodes))
    return plan


def _judge(node: dict[str, Any], plan: Plan) -> None:
    kind = node["Node Type"]
    rows = _rows(node)
    if kind in ("Sort", "Incremental Sort"):
        given = sum(_rows(child) for child in node.get("Plans", []))
        plan.nodes.append(f"{kind} of {given:,}")
        if given > MOST_ROWS and kind == "Sort":
            plan.problems.append(f"sorts {given:,} rows")
        return
    if kind not in _OWN or not (name := node.get(_OWN[kind])):
        return
    if kind == "ModifyTable":
        return
    plan.nodes.append(f"{kind} {name}")
    read = rows + node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
    if kind == "Seq Scan" and read > MOST_ROWS:
        plan.problems.append(f"reads {name} from end to end ({read:,.0f} rows)")
    elif node.get("Rows Removed by Filter", 0) * node["Actual Loops"] > 25 * MOST_ROWS:
        plan.problems.append(f"throws {node['Rows Removed by Filter'] * node['Actual Loops']:,.0f} rows of {name} away")


def _rows(node: dict[str, Any]) -> int:
    return int(node["Actual Rows"] * node["Actual Loops"])


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _walk(child)
