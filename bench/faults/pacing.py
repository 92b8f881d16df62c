"""The pace of one channel while eight dispatch workers compete for it and are killed one after the other."""

from __future__ import annotations

import random
import time

from bench.engine import queue_messages
from bench.faults.scene import LoadedChannel, Scene, poll
from bench.platform_access import control
from bench.table import Row, fullest_second

WORKERS = 8
RATE = 80
SECONDS = 30
KILLS = 5


def rows_pacing(scene: Scene, *, seed: int) -> list[Row]:
    """The fullest second of a channel of 80/s at the provider."""
    dice = random.Random(seed)
    channel = next(channel for channel in scene.channels if channel.rate == RATE)
    names = ["dispatch", "dispatch2", *(f"dispatch{number}" for number in range(3, WORKERS + 1))]
    for name in names[2:]:
        scene.instance.start("dispatch", as_name=name)
    count = RATE * SECONDS
    before = scene.sends()[channel.external_id]
    queue(scene, channel, count)
    for _ in range(KILLS):
        time.sleep(dice.uniform(1, 4))
        scene.restart(dice.choice(names), kind="dispatch")
    poll(lambda: scene.open_messages() == 0, seconds=600, what="all messages of the paced channel", every=0.5)
    sends = control(scene.instance, "GET", f"ledger?phone_number_id={channel.external_id}&limit={count}")["sends"]
    arrived = scene.sends()[channel.external_id] - before
    for name in names[2:]:
        scene.instance.kill(name)
    fullest = fullest_second([send["at"] for send in sends])
    return [
        Row(
            f"most in any second at {RATE}/s, {WORKERS} dispatch workers, {KILLS} killed",
            f"{fullest}",
            f"<= {RATE}",
            fullest <= RATE,
        ),
        Row("the same: messages at the provider", f"{arrived:,}", f"{count:,}", arrived == count),
    ]


def queue(scene: Scene, channel: LoadedChannel, count: int) -> None:
    """Accept `count` messages for the channel from this process, at once."""
    from django.db import connection
    from django_tenants.utils import tenant_context

    from messaging.models import Channel
    from tenants.models import Organization

    # Faults have cut the connection that this process had.
    connection.close()
    organization = Organization.objects.get(schema_name=channel.schema)
    with tenant_context(organization):
        row = Channel.objects.get(pk=channel.channel_id)
    queue_messages(organization, row, count, priority=10, origin="api")
