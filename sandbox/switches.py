"""The switches: how the simulated provider behaves and misbehaves, for all numbers or for one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

_random = secrets.SystemRandom()

SwitchValues = dict[str, Any]


class SwitchError(ValueError):
    """A switch does not exist or was given a value it cannot take."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(slots=True)
class Injection:
    """A fault that strikes a share of the calls, `count` times at most (None = without end)."""

    code: int = 0
    share: float = 1.0
    count: int | None = None
    subcode: int | None = None

    def strikes(self) -> bool:
        """Decide for one call, and use up one of the counted strikes when it does."""
        if self.count == 0 or (self.share < 1.0 and _random.random() >= self.share):
            return False
        if self.count is not None:
            self.count -= 1
        return True

    def as_json(self) -> dict[str, object]:
        return {"code": self.code, "share": self.share, "count": self.count, "subcode": self.subcode}


def chance(share: float) -> bool:
    """True for a `share` (0 to 1) of the calls."""
    return share > 0 and (share >= 1 or _random.random() < share)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _whole(low: int, high: int, *, nullable: bool = False) -> Callable[[object], int | None]:
    def parse(value: object) -> int | None:
        if value is None and nullable:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}" + (" or null" if nullable else ""))
        return value

    return parse


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def _choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return value

    return parse


def _phones(value: object) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of phone numbers or null")
    return frozenset("".join(filter(str.isdigit, item)) for item in value)


def _injection(value: object) -> Injection | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) - {"code", "share", "count", "subcode"}:
        raise ValueError("must be null or an object with code, share, count, subcode")
    code = _whole(0, 10_000_000)(value.get("code", 0))
    return Injection(
        code=code or 0,
        share=_share(value.get("share", 1.0)),
        count=_whole(0, 1_000_000_000, nullable=True)(value.get("count")),
        subcode=_whole(0, 100_000_000, nullable=True)(value.get("subcode")),
    )


_DAY_MS = 86_400_000

# name -> (default, parser). The README explains each one.
SPECS: dict[str, tuple[Any, Callable[[object], Any]]] = {
    "strict": (False, _flag),
    "magic": (True, _flag),
    "slow_ms": (3000, _whole(0, 600_000)),
    "latency_ms": (0, _whole(0, 600_000)),
    "throughput_per_second": (None, _whole(1, 100_000, nullable=True)),
    "pair_limit": (False, _flag),
    "management_per_hour": (None, _whole(1, 1_000_000, nullable=True)),
    "sync_error": (None, _injection),
    "async_error": (None, _injection),
    "server_error": (None, _injection),
    "drop_before": (None, _injection),
    "drop_after": (None, _injection),
    "failures": ("async", _choice("async", "sync")),
    "window": (False, _flag),
    "allowed_recipients": (None, _phones),
    "hide_phones": (False, _flag),
    "unknown_templates": ("auto", _choice("auto", "accept", "reject")),
    "template_status": ("accepted", _choice("accepted", "held_for_quality_assessment", "paused")),
    "template_review": ("approve", _choice("approve", "reject", "hold")),
    "template_review_ms": (2000, _whole(0, _DAY_MS)),
    "verify_callbacks": (True, _flag),
    "webhooks": (True, _flag),
    "sent_after_ms": (100, _whole(0, _DAY_MS, nullable=True)),
    "delivered_after_ms": (600, _whole(0, _DAY_MS, nullable=True)),
    "read_after_ms": (1500, _whole(0, _DAY_MS, nullable=True)),
    "status_drop": (0.0, _share),
    "status_duplicate": (0.0, _share),
    "status_shuffle": (False, _flag),
    "webhook_batch": (100, _whole(1, 1000)),
    "webhook_parallel": (4, _whole(1, 64)),
    "webhook_timeout_ms": (10_000, _whole(100, 120_000)),
    "webhook_retry_for_s": (3600, _whole(0, 604_800)),
}

# These belong to the delivery of webhooks as a whole and cannot differ between numbers.
GLOBAL_ONLY = frozenset({"webhook_batch", "webhook_parallel", "webhook_timeout_ms", "webhook_retry_for_s"})


def parse_switches(raw: Mapping[str, object]) -> SwitchValues:
    """Check names and values. Raises SwitchError that names the switch."""
    values: SwitchValues = {}
    for name, value in raw.items():
        if name not in SPECS:
            raise SwitchError(name, f"there is no switch {name!r}")
        try:
            values[name] = SPECS[name][1](value)
        except ValueError as error:
            raise SwitchError(name, f"{name} {error}") from None
    return values


class Switches:
    """The switches in force for one number; attributes, so that the send path reads them without look-ups."""

    __slots__ = tuple(SPECS)

    strict: bool
    magic: bool
    slow_ms: int
    latency_ms: int
    throughput_per_second: int | None
    pair_limit: bool
    management_per_hour: int | None
    sync_error: Injection | None
    async_error: Injection | None
    server_error: Injection | None
    drop_before: Injection | None
    drop_after: Injection | None
    failures: str
    window: bool
    allowed_recipients: frozenset[str] | None
    hide_phones: bool
    unknown_templates: str
    template_status: str
    template_review: str
    template_review_ms: int
    verify_callbacks: bool
    webhooks: bool
    sent_after_ms: int | None
    delivered_after_ms: int | None
    read_after_ms: int | None
    status_drop: float
    status_duplicate: float
    status_shuffle: bool
    webhook_batch: int
    webhook_parallel: int
    webhook_timeout_ms: int
    webhook_retry_for_s: int

    def __init__(self, values: SwitchValues) -> None:
        for name, (default, _) in SPECS.items():
            setattr(self, name, values.get(name, default))


class SwitchBoard:
    """The values set for all numbers and the ones set for single numbers."""

    def __init__(self, initial: SwitchValues) -> None:
        self._initial = initial
        self.reset()

    def reset(self) -> None:
        self._global: SwitchValues = {
            name: replace(value) if isinstance(value, Injection) else value for name, value in self._initial.items()
        }
        self._numbers: dict[str, SwitchValues] = {}
        self.common = Switches(self._global)
        self._merged: dict[str, Switches] = {}

    def for_number(self, phone_number_id: str) -> Switches:
        """The switches in force for a number."""
        return self._merged.get(phone_number_id, self.common)

    def change(self, raw: Mapping[str, object], phone_number_id: str | None) -> None:
        """Set switches for all numbers or one. Raises SwitchError and changes nothing when one is wrong."""
        values = parse_switches(raw)
        if phone_number_id is None:
            self._global.update(values)
        else:
            for name in GLOBAL_ONLY.intersection(values):
                raise SwitchError(name, f"{name} can only be set for all numbers")
            self._numbers.setdefault(phone_number_id, {}).update(values)
        self.common = Switches(self._global)
        self._merged = {number: Switches({**self._global, **own}) for number, own in self._numbers.items()}

    def as_json(self) -> dict[str, object]:
        common = {name: _plain(getattr(self.common, name)) for name in SPECS}
        numbers = {
            number: {name: _plain(value) for name, value in own.items()} for number, own in self._numbers.items()
        }
        return {"global": common, "numbers": numbers}


def _plain(value: object) -> object:
    if isinstance(value, Injection):
        return value.as_json()
    if isinstance(value, frozenset):
        return sorted(value)
    return value
