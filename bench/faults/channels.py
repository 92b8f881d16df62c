"""Channels for a fault run. `python -m bench.faults.channels RATE...` makes them in a process of its own, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.engine import channel_make
from bench.faults.scene import LoadedChannel


def channels_make(demo: Mapping[str, Any], rates: Sequence[int], kind: str = "whatsapp_cloud") -> list[LoadedChannel]:
    """Channels of these rates (messages/s, 0: no limit) in both organisations, whose plans get a limit to count."""
    from tenants.models import Organization, Plan

    Plan.objects.update(messages_per_month=10_000_000)
    keys = {
        demo["organization"]["slug"]: demo["transactional"]["api_key"],
        demo["second_organization"]["slug"]: demo["second_organization"]["transactional_api_key"],
    }
    made: list[LoadedChannel] = []
    for slug, key in keys.items():
        organization = Organization.objects.get(slug=slug)
        for rate in rates:
            row = channel_make(organization, kind=kind, rate_per_second=rate)
            made.append(LoadedChannel(organization.schema_name, row.pk, str(row.uuid), row.external_id, key, rate))
    return made


def main() -> int:
    """Print the channels."""
    import django

    django.setup()
    demo = json.loads(Path(os.environ["DEMO_FILE"]).read_text(encoding="utf-8"))
    made = channels_make(demo, [int(rate) for rate in sys.argv[1:]])
    sys.stdout.write(json.dumps([asdict(channel) for channel in made]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
