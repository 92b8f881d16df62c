"""Taking lanes and giving them back, for all lanes of an organisation that do so at the same moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings

from messaging.dispatch import sql
from tenants.lanes.database import Rows, Statement


def stale_after() -> timedelta:
    """A claim older than this has no owner any more that could still settle it."""
    return timedelta(seconds=settings.SEND_TIMEOUT_SECONDS + 30)


@dataclass(frozen=True, slots=True)
class Ask:
    """The lane of `channel` is wanted, with up to `wanted` messages; `owner` is a name of this attempt alone."""

    channel: int
    owner: str
    wanted: int


@dataclass(frozen=True, slots=True)
class Take:
    """Answers each `Ask` with the rows of TAKE that are about its channel, without the channel."""

    def statements(self, schema: str, asks: Sequence[Ask]) -> list[Statement]:
        params = {
            "schema": schema,
            "channels": [ask.channel for ask in asks],
            "owners": [ask.owner for ask in asks],
            "wanted": [ask.wanted for ask in asks],
            "lease": timedelta(seconds=settings.DISPATCH_LEASE_SECONDS),
            "stale": stale_after(),
        }
        return [(sql.statements(schema).take, params)]

    def answers(self, asks: Sequence[Ask], rows: list[Rows]) -> list[Rows]:
        by_channel: dict[int, Rows] = {}
        for row in rows[0]:
            by_channel.setdefault(row[0], []).append(row[1:])
        return [by_channel.get(ask.channel, []) for ask in asks]


@dataclass(frozen=True, slots=True)
class Return:
    """A lane to give back as RELEASE wants it, and what is left to settle as SETTLE wants it."""

    release: dict[str, Any]
    results: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Answers each `Return` with (endpoints to wake, whether messages are queued).

    The results are settled first, and the release also sees what was queued meanwhile: each statement sees what is
    there when it starts. All the endpoints are told to the first one.
    """

    def statements(self, schema: str, asks: Sequence[Return]) -> list[Statement]:
        statements = sql.statements(schema)
        release = (statements.release, {"lanes": orjson.dumps([ask.release for ask in asks]).decode()})
        results = [result for ask in asks for result in ask.results]
        return [(statements.settle, {"results": orjson.dumps(results).decode()}), release] if results else [release]

    def answers(self, asks: Sequence[Return], rows: list[Rows]) -> list[tuple[list[int], bool]]:
        endpoints = rows[0][0][0] if len(rows) > 1 else None
        queued: dict[int, bool] = dict(rows[-1])
        answers: list[tuple[list[int], bool]] = [([], queued.get(ask.release["lane"], False)) for ask in asks]
        return [(endpoints or [], answers[0][1]), *answers[1:]]


TAKE = Take()
GIVE_BACK = GiveBack()
