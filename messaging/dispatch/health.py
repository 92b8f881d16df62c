"""What a lane tells those who watch: counted while it sends, written down every few seconds and when it stops."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

# Often enough to watch, rarely enough to cost nothing: one small statement per lane and interval.
NOTE_EVERY: Final = 10.0
# Counts of what waits stop here and mean "more than 10,000".
COUNTED: Final = 10_001


@dataclass(slots=True)
class HealthNotes:
    """What was sent since the last note. Travels in the lane's state from owner to owner."""

    since: float = field(default_factory=time.time)
    sent: int = 0
    queued: int = 0
    outcome: str = ""

    @classmethod
    def of(cls, state: dict[str, Any]) -> HealthNotes:
        """From what the previous owner left in the lane's state."""
        left = state.get("health") or {}
        return cls(left.get("since", 0.0), left.get("sent", 0), left.get("queued", 0), left.get("outcome", ""))

    def state(self) -> dict[str, Any]:
        """For the next owner."""
        return {"since": self.since, "sent": self.sent, "queued": self.queued, "outcome": self.outcome}

    def is_due(self, outcome: str) -> bool:
        """Whether to write now. What would otherwise stay wrong for long is written at once: that a lane cannot send
        any more, and that a queue is empty."""
        stopped = outcome in {"paused", "capped"} and outcome != self.outcome
        emptied = outcome == "nothing" and self.queued > 0
        return stopped or emptied or time.time() - self.since >= NOTE_EVERY

    def params(self, outcome: str) -> dict[str, Any]:
        """Parameters of the HEALTH statement."""
        seconds = time.time() - self.since
        return {"outcome": outcome, "sent": self.sent, "rate": self.sent / max(seconds, 1.0) * 60, "most": COUNTED}

    def written(self, *, sent: int, queued: int, outcome: str) -> None:
        """`sent` of the messages are in the table now."""
        self.since, self.sent, self.queued, self.outcome = time.time(), self.sent - sent, queued, outcome
