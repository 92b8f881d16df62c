"""What a process remembers of its channels: a lane with a message now and then is then two statements."""

from __future__ import annotations

import time
from dataclasses import dataclass

from messaging.dispatch.channel_state import ChannelState

# A lane that goes on pumping reads its channel again after this many seconds: what staff change is effective by then.
RELOAD_EVERY = 2.0
# A channel that nobody pumps is forgotten after this many seconds: it holds secrets.
KEEP = 60.0


@dataclass(slots=True)
class Known:
    """A channel as the last lease of this process knew it, and when that was known to be so (monotonic)."""

    channel: ChannelState
    known_at: float


# Known channels by (schema, channel id), shared by all lanes of a process. Used only while the version of the row that
# taking the lane returns is the same.
Memory = dict[tuple[str, int], Known]


def memory_forget(memory: Memory) -> None:
    """Drop what was not used for a minute."""
    for key, known in list(memory.items()):
        if time.monotonic() - known.known_at > KEEP:
            memory.pop(key, None)
