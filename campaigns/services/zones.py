"""Recipients' time zones and due times as SQL, for the statements that queue and move a run's messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from campaigns.models import Campaign, Run
from campaigns.timing import QuietHours, all_zones, due_by_zone, quiet_hours, recipient_due, zones_of_prefixes


@dataclass(frozen=True, slots=True)
class DueSql:
    """When a message may go, as an expression that is NULL for "at once"; over the columns it was made for."""

    sql: str
    params: Mapping[str, Any]


def campaign_quiet_hours(campaign: Campaign) -> QuietHours | None:
    """The campaign's quiet hours, if it has any."""
    return quiet_hours(campaign.quiet_from, campaign.quiet_until)


def zone_sql(campaign: Campaign, *, address: str, timezone: str) -> tuple[str, dict[str, Any]]:
    """The zone of a row: the contact's own when it is one, else that of the number, else the campaign's."""
    prefixes = zones_of_prefixes(campaign.zone)
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    by_number = ", ".join(f"%(zones_of_prefixes)s::jsonb ->> left({address}, {length})" for length in lengths)
    sql = f"COALESCE(CASE WHEN %(known_zones)s::jsonb ? {timezone} THEN {timezone} END, {by_number}, %(campaign_zone)s)"
    return sql, {
        "zones_of_prefixes": orjson.dumps(dict(prefixes)).decode(),
        "known_zones": orjson.dumps(list(all_zones())).decode(),
        "campaign_zone": campaign.zone,
    }


def due_sql(campaign: Campaign, run: Run, *, now: datetime, address: str, timezone: str) -> DueSql:
    """When messages of `run` may go, computed at `now`."""
    quiet = campaign_quiet_hours(campaign)
    if not campaign.in_recipient_zone:
        due = recipient_due(now=now, zone=ZoneInfo(campaign.zone), local_time=None, quiet=quiet)
        return DueSql("%(due_for_all)s::timestamptz", {"due_for_all": due})
    due_at = due_by_zone(now=now, zones=all_zones(), local_time=run_local_time(campaign, run), quiet=quiet)
    if not due_at:
        return DueSql("NULL::timestamptz", {})
    zone, params = zone_sql(campaign, address=address, timezone=timezone)
    params["due_by_zone"] = orjson.dumps({name: moment.isoformat() for name, moment in due_at.items()}).decode()
    return DueSql(f"(%(due_by_zone)s::jsonb ->> {zone})::timestamptz", params)


def run_local_time(campaign: Campaign, run: Run) -> tuple[date, time]:
    """The day and time of the run on the clocks of the campaign's zone: what recipients' clocks are to show."""
    local = run.occurrence_at.astimezone(ZoneInfo(campaign.zone))
    return local.date(), local.time()
