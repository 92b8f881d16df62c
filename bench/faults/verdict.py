"""What must be true when the dust has settled; every line is held against the rows and the provider's ledger."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.faults.scene import LoadedChannel, Scene
from bench.platform_access import control
from bench.table import Row

# metric of the hourly counters -> what makes a row count for it.
METRICS = {
    "accepted": "true",
    "sent": "sent_at IS NOT NULL",
    "delivered": "delivered_at IS NOT NULL",
    "read": "read_at IS NOT NULL",
    "failed": "status = 'failed'",
}


def rows_verdict(scene: Scene, accepted: dict[str, list[str]], *, quota_before: int | None) -> list[Row]:
    """`accepted`: the channel's number -> the ids that the API gave out. One row per promise.

    Without `quota_before`, for callers that have no Django on the platform's database, the quota is left out.
    """
    unread, inbound = _unread(scene), _inbound(scene)
    wrong, lost, twice, unsent, failures = 0, 0, 0, 0, 0
    for channel in scene.channels:
        ids = accepted[channel.external_id]
        rows = dict(_statuses(scene, channel))
        wrong += len(set(ids) ^ set(rows)) + len(ids) - len(set(ids))
        failed = {uuid for uuid, status in rows.items() if status == "failed"}
        failures += len(failed)
        check = control(
            scene.instance,
            "POST",
            "ledger/check",
            {"phone_number_id": channel.external_id, "opaque": list(rows)},
        )
        lost += len(set(check["missing"]) - failed)
        twice += sum(times - 1 for times in check["repeated"].values())
        unsent += scene.sends()[channel.external_id] - check["once"] - sum(check["repeated"].values())
    count = sum(len(ids) for ids in accepted.values())
    quota = []
    if quota_before is not None:
        used = quota_used(scene) - quota_before
        quota = [Row("the plan's quota used", f"{used:,}", f"{count:,} accepted", used == count)]
    return [
        *quota,
        _zero(f"of {count:,} accepted: ids that the database has not exactly once", wrong),
        _zero("messages not in a final state", scene.open_messages()),
        _zero("lost: not failed, and not in the provider's ledger", lost),
        _zero("sent twice", twice),
        _zero("in the ledger, but never accepted here", unsent),
        Row("failed, each with its reason", str(failures), "", _unexplained(scene) == 0, _reasons(scene)),
        _zero("sent, but not shown as read although the provider said so", unread),
        _zero("counters that differ from the rows", _counters(scene)),
        _zero("inbound webhooks not processed", inbound),
        _stuck(scene),
    ]


def _zero(what: str, value: int) -> Row:
    return Row(what, f"{value:,}", "0", value == 0)


def _statuses(scene: Scene, channel: LoadedChannel) -> Iterable[tuple[str, str]]:
    rows = scene.query(
        f'SELECT uuid::text, status FROM "{channel.schema}".messaging_message '  # noqa: S608
        "WHERE channel_id = %(channel)s AND direction = 'out'",
        channel=channel.channel_id,
    )
    return [(str(uuid), str(status)) for uuid, status in rows]


def _unexplained(scene: Scene) -> int:
    return scene.count(
        "SELECT count(*) FROM {schema}.messaging_message"
        " WHERE channel_id = ANY(%(channels)s) AND status = 'failed' AND (error_code = '' OR error_reason = '')"
    )


def _reasons(scene: Scene) -> str:
    found: dict[str, int] = {}
    for schema in scene.schemas:
        for code, count in scene.query(
            f"SELECT error_code, count(*) FROM \"{schema}\".messaging_message WHERE status = 'failed' GROUP BY 1"  # noqa: S608
        ):
            found[code] = found.get(code, 0) + count
    return ", ".join(f"{code}: {count}" for code, count in sorted(found.items()))


_UNDELIVERED = (
    "SELECT count(*) FROM {schema}.messaging_message"
    " WHERE channel_id = ANY(%(channels)s) AND direction = 'out' AND status = 'sent'"
)
_UNREAD = _UNDELIVERED.replace("= 'sent'", "IN ('sent', 'delivered')")


def _unread(scene: Scene) -> int:
    """Duplicated, shuffled and delayed as they were, all reports have been told: everybody has read or got all."""
    text = _UNREAD if scene.tells_read else _UNDELIVERED
    end = time.monotonic() + 120
    while scene.count(text) and time.monotonic() < end:
        time.sleep(0.5)
    return scene.count(text)


def _counters(scene: Scene) -> int:
    different = 0
    for channel in scene.channels:
        for metric, condition in METRICS.items():
            [(rows, counted)] = scene.query(
                f"""SELECT (SELECT count(*) FROM "{channel.schema}".messaging_message
                            WHERE channel_id = %(channel)s AND direction = 'out' AND {condition}),
                           (SELECT coalesce(sum(count), 0) FROM "{channel.schema}".messaging_channelcount
                            WHERE channel_id = %(channel)s AND metric = %(metric)s)""",  # noqa: S608
                channel=channel.channel_id,
                metric=metric,
            )
            different += rows != counted
    return different


def quota_used(scene: Scene) -> int:
    """Messages of this month as the plan's quota counts them with each new seed: every 15 minutes, and when Valkey has
    lost its data."""
    from django.db import connection

    from tenants.models import Organization
    from tenants.services.plans import messages_accepted_since, month_start

    # Faults have cut the connection that this process had.
    connection.close()
    organizations = Organization.objects.filter(schema_name__in=scene.schemas)
    return sum(messages_accepted_since(organization, month_start(organization)) for organization in organizations)


def _inbound(scene: Scene) -> int:
    text = "SELECT count(*) FROM public.tenants_inboundevent WHERE status IN ('received', 'failed')"
    end = time.monotonic() + 120
    while scene.query(text)[0][0] and time.monotonic() < end:
        time.sleep(0.5)
    return int(scene.query(text)[0][0])


def _stuck(scene: Scene) -> Row:
    """Lanes are looked at now and then, so a lease may be held for a moment: one quiet moment in a minute counts."""
    found: list[tuple[str, str, str]] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = [
            (str(kind), str(key), str(why))
            for kind, key, why in scene.query(
                """SELECT kind, key, CASE WHEN leased_until IS NULL THEN 'overdue ' || now() - due_at
                                          ELSE 'held until ' || leased_until - now() || ' from now' END
                   FROM public.tenants_agendaitem
                   WHERE leased_until IS NOT NULL OR due_at < now() - interval '3 seconds'"""
            )
        ]
        if not found:
            break
        time.sleep(0.2)
    note = "; ".join(" ".join(item) for item in found[:5])
    return Row("leases held, or agenda items overdue", str(len(found)), "0", not found, note)
