"""The life of an accepted message: sent, delivered, read or failed, each at its time and with its webhook."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from sandbox.chat.events import status_event
from sandbox.chat.pages import Page
from sandbox.phones.book import DELIVERED, FAILED, READ, SENT, STATE_NAMES, Record
from sandbox.sms.events import report_event
from sandbox.sms.senders import SmsSender
from sandbox.switches import Switches, chance
from sandbox.webhooks.encoding import Update, meta_json, quoted

if TYPE_CHECKING:
    from sandbox.graph.account import Number
    from sandbox.phones.book import Phone
    from sandbox.world import World

_random = secrets.SystemRandom()


class Statuses:
    """Plans and emits the statuses of messages."""

    def __init__(self, world: World) -> None:
        self._world = world

    def plan(self, record: Record, delay: float) -> None:
        """Plan the statuses of a message whose answer leaves in `delay` seconds."""
        switches = self._world.board.for_number(record.number.id)
        if record.error is not None:
            self._later(delay, switches.sent_after_ms or 0, record, FAILED)
            return
        states = [SENT] if record.kind == "reaction" else [SENT, DELIVERED, READ]
        if isinstance(record.number, SmsSender):
            states.remove(READ)
        times = [_time_of(switches, state) for state in states]
        if switches.status_shuffle:
            _random.shuffle(states)
        for state, moment in zip(states, times, strict=True):
            if moment is not None:
                self._later(delay, moment, record, state)

    def _later(self, delay: float, after_ms: int, record: Record, state: int) -> None:
        self._world.clock.after(delay + after_ms / 1000, self._happen, record, state)

    def _happen(self, record: Record, state: int) -> None:
        if state == FAILED or state > record.state:
            record.state = state
        self._world.live.touch(record.phone.key)
        switches = self._world.board.for_number(record.number.id)
        if not switches.webhooks or chance(switches.status_drop):
            return
        update = self._told(record, state, switches)
        if update is None:
            return
        self._world.post(record.number.waba, record.number, update)
        if chance(switches.status_duplicate):
            self._world.post(record.number.waba, record.number, update)

    def _told(self, record: Record, state: int, switches: Switches) -> Update | None:
        """The webhook of a status; None when the product has none for it."""
        if isinstance(record.number, SmsSender):
            return report_event(record.number, record, state)
        if isinstance(record.number, Page):
            return status_event(self._world, record.number, record, state)
        return self._update(record, record.number, state, switches)

    def _update(self, record: Record, number: Number, state: int, switches: Switches) -> Update:
        phone = record.phone
        hidden = phone.hidden or switches.hide_phones
        parts = [
            f'"id":"{record.wamid}","status":"{STATE_NAMES[state]}","timestamp":"{int(time.time())}"',
            "" if hidden else f',"recipient_id":"{phone.wa_id}"',
        ]
        if state == FAILED:
            parts.append(_opaque(record))
            parts.append(f',"errors":[{_plain(record.error)}]')
            return Update(number.waba.id, number.metadata + "|statuses", "{" + "".join(parts) + "}")
        parts.append(f',"recipient_user_id":"{phone.bsuid}"')
        parts.append(_opaque(record))
        if state in (SENT, DELIVERED) or (state == READ and switches.delivered_after_ms is None):
            parts.append(_pricing(record.category))
        # Statuses with a contact and failed ones (which have none) go into changes of their own.
        return Update(
            number.waba.id,
            number.metadata + "|statuses+",
            "{" + "".join(parts) + "}",
            contact_json(phone, hidden=hidden),
        )


def _time_of(switches: Switches, state: int) -> int | None:
    if state == SENT:
        return switches.sent_after_ms
    return switches.delivered_after_ms if state == DELIVERED else switches.read_after_ms


def _opaque(record: Record) -> str:
    return "" if record.opaque is None else f',"biz_opaque_callback_data":{quoted(record.opaque)}'


def _pricing(category: str) -> str:
    if category == "service":
        return ',"pricing":{"billable":false,"pricing_model":"PMP","category":"service","type":"free_customer_service"}'
    return f',"pricing":{{"billable":true,"pricing_model":"PMP","category":"{category}","type":"regular"}}'


def _plain(value: object) -> str:
    """JSON whose slashes are escaped later, with the whole body."""
    return meta_json(value).replace("\\/", "/")


def contact_json(phone: Phone, *, hidden: bool) -> str:
    """The entry of `contacts` for a phone; the number is left out when it is hidden."""
    wa_id = "" if hidden else f',"wa_id":"{phone.wa_id}"'
    return f'{{"profile":{{"name":{quoted(phone.name)}}}{wa_id},"user_id":"{phone.bsuid}"}}'


def message_update(number: Number, phone: Phone, message: dict[str, object], *, hidden: bool) -> Update:
    """An inbound message as an update of its number."""
    return Update(number.waba.id, number.metadata + "|messages", _plain(message), contact_json(phone, hidden=hidden))


def account_update(waba_id: str, field: str, value: dict[str, object]) -> Update:
    """A change of an account field (template status and the like); it stands alone in its webhook entry."""
    return Update(waba_id, "", _plain(value), field=field, time=int(time.time()))


def preference_update(number: Number, phone: Phone, preference: dict[str, object]) -> Update:
    """A customer's marketing preference."""
    return Update(
        number.waba.id,
        number.metadata + "|user_preferences",
        _plain(preference),
        contact_json(phone, hidden=phone.hidden),
        field="user_preferences",
    )
