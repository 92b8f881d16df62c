"""What a process remembers of its channels for a moment: a lane with a message now and then is then one statement."""

from __future__ import annotations

import time
from dataclasses import dataclass

from messaging.dispatch.channel_state import ChannelState

# A channel is read again after this many seconds: what staff change is effective by then.
RELOAD_EVERY = 2.0


@dataclass(slots=True)
class Known:
    """A channel as the last lease of this process knew it, and when that was read (monotonic)."""

    channel: ChannelState
    loaded_at: float


# Known channels by (schema, channel id), shared by all lanes of a process.
Memory = dict[tuple[str, int], Known]


def memory_forget(memory: Memory) -> None:
    """Drop what is too old to be used: it holds secrets."""
    for key, known in list(memory.items()):
        if time.monotonic() - known.loaded_at > RELOAD_EVERY:
            memory.pop(key, None)
