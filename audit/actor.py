"""Who acts now, and from where: bound once per request or task, read when something is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from audit.models import AuditEntry

Kind = AuditEntry.ActorKind


@dataclass(frozen=True, slots=True)
class Actor:
    """The acting person, key or process. `membership_id` is the sub-account, `agent` the client's User-Agent."""

    kind: str = Kind.SYSTEM
    id: int | None = None
    label: str = ""
    membership_id: int | None = None
    address: str = ""
    agent: str = ""
    request_id: str = ""


# The second entry tells, when asked, which person has logged in: known only after the session was read.
_current: ContextVar[tuple[Actor, Callable[[Actor], Actor] | None]] = ContextVar("audit_actor", default=(Actor(), None))


def actor_current() -> Actor:
    """Who acts now; the system when nobody was named."""
    actor, person = _current.get()
    return person(actor) if person is not None and actor.kind == Kind.SYSTEM else actor


def actor_name(*, kind: str, id: int | None, label: str, membership_id: int | None = None) -> None:
    """Name the actor of the current request or task, such as after its API key was checked; the origin stays."""
    actor, person = _current.get()
    _current.set((replace(actor, kind=kind, id=id, label=label, membership_id=membership_id), person))


@contextmanager
def actor_bound(actor: Actor, person: Callable[[Actor], Actor] | None = None) -> Iterator[None]:
    """Within the block `actor` acts; `person` may complete it when something is recorded."""
    token = _current.set((actor, person))
    try:
        yield
    finally:
        _current.reset(token)
