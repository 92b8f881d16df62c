"""Everything that the sandbox knows while it runs; all of it in memory, all of it gone with `reset`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta

from sandbox.chat.pages import Page, Pages
from sandbox.config import Config
from sandbox.graph.account import Accounts, Number, Waba
from sandbox.graph.media import MediaStore
from sandbox.graph.messages import Throttled
from sandbox.graph.signup import Codes
from sandbox.graph.templates import BlockedNames, Template
from sandbox.graph.tokens import Tokens
from sandbox.ledger import Ledger
from sandbox.live import Live
from sandbox.phones.book import Phone, PhoneBook
from sandbox.sms.senders import SmsSender
from sandbox.switches import SwitchBoard
from sandbox.webhooks.clock import Clock
from sandbox.webhooks.encoding import SMS_MESSAGES, Update
from sandbox.webhooks.poster import Poster
from sandbox.webhooks.statuses import Statuses, account_update, preference_update

log = logging.getLogger(__name__)

# Fields that an override of the callback carries; all others go to the app's own address.
OVERRIDABLE = ("messages", "calls", "smb_message_echoes", "smb_app_state_sync", "history")


class World:
    """The state, and the few actions that touch several parts of it."""

    callback_timeout = timedelta(seconds=5)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.board = SwitchBoard(config.switches)
        self.poster = Poster(config.app_secret, self.board, config.backlog_limit)
        self.live = Live()
        self.clock = Clock(self._after_turn, _log_failure)
        self.statuses = Statuses(self)
        self.ledger = Ledger(config.ledger_limit)
        self.book = PhoneBook(config.inbox_limit)
        self.media = MediaStore(config.media_limit_bytes)
        self.closing = False
        self._fresh()

    def _fresh(self) -> None:
        self.started = time.time()
        self.webhook_url = self.config.webhook_url
        self.accounts = Accounts()
        self.pages = Pages()
        self.senders: dict[str, SmsSender] = {}
        self.tokens = Tokens()
        self.codes = Codes()
        self.templates: dict[str, Template] = {}
        self.blocked_names = BlockedNames()
        self.throttled = Throttled()

    def reset(self) -> None:
        """Back to the state after the start: no numbers, no messages, the initial switches, an empty ledger."""
        self.clock.reset()
        self.poster.reset()
        self.board.reset()
        self.ledger.reset()
        self.book.reset()
        self.media.reset()
        self._fresh()

    def _after_turn(self) -> None:
        self.poster.pump()
        self.live.flush()

    def post(self, waba: Waba | Page | SmsSender, number: Number | Page | SmsSender | None, update: Update) -> None:
        """Queue an update for the address that is responsible: the number's, the account's, or the app's."""
        if isinstance(waba, SmsSender):
            callback = waba.callback("message" if update.object == SMS_MESSAGES else "report")
            if callback:
                self.poster.push(callback, update)
            return
        if not waba.subscribed:
            return
        url = self.webhook_url
        if update.field in OVERRIDABLE:
            url = (number.override if number else None) or waba.override or url
        self.poster.push(url, update)

    def sms_sender(self, sender_id: str, request: Mapping[str, object]) -> SmsSender:
        """The sender of the SMS gateway, with the name and the address for reports that a request brings."""
        sender = self.senders.get(sender_id)
        if sender is None:
            sender = self.senders[sender_id] = SmsSender(sender_id, sender_id)
        display, callback = request.get("from"), request.get("callback_url")
        if isinstance(display, str) and display:
            sender.display = sender.verified_name = display[:40]
        if isinstance(callback, str) and callback.startswith(("http://", "https://")):
            sender.callback_url = callback
        return sender

    def review(self, template: Template) -> None:
        """Send a template to review; the outcome follows with its webhook, unless the switch says hold."""
        switches = self.board.common
        if switches.template_review != "hold":
            self.clock.after(switches.template_review_ms / 1000, self._decide, template, template.components)

    def _decide(self, template: Template, components: object) -> None:
        if template.status != "PENDING" or template.components is not components:
            return
        if self.board.common.template_review == "approve":
            self.template_event(template, "APPROVED")
        else:
            self.template_event(template, "REJECTED", reason="INVALID_FORMAT")

    def template_event(self, template: Template, event: str, *, reason: str = "NONE") -> None:
        """Give a template a new status and tell the platform."""
        template.status = event
        template.rejected_reason = reason if event == "REJECTED" else "NONE"
        value: dict[str, object] = {
            "event": event,
            "message_template_id": int(template.id),
            "message_template_name": template.name,
            "message_template_language": template.language,
            "reason": reason,
        }
        if event in ("APPROVED", "REJECTED"):
            value["message_template_category"] = template.category
        if event == "PAUSED":
            value["other_info"] = {
                "title": "FIRST_PAUSE",
                "description": "Your template has been paused for 3 hours because of continued negative feedback.",
            }
        if event == "DISABLED":
            value["other_info"] = {"title": "DISABLED", "description": "Your template has been disabled."}
        if event == "REJECTED":
            value["rejection_info"] = {
                "reason": "The template breaks a format rule.",
                "recommendation": "Change the template and submit it again.",
            }
        self.post(template.waba, None, account_update(template.waba.id, "message_template_status_update", value))

    def template_category(self, template: Template, category: str) -> None:
        """Meta moves a template to another category and says so."""
        value: dict[str, object] = {
            "message_template_id": int(template.id),
            "message_template_name": template.name,
            "message_template_language": template.language,
            "previous_category": template.category,
            "new_category": category,
        }
        template.category = category
        self.post(template.waba, None, account_update(template.waba.id, "template_category_update", value))

    def marketing_preference(self, phone: Phone, number: Number, value: str) -> None:
        """A customer stops or resumes the marketing messages of a business."""
        who: dict[str, object] = {} if phone.hidden else {"wa_id": phone.wa_id}
        who["user_id"] = phone.bsuid
        preference = {
            **who,
            "detail": f"User requested to {value} marketing messages",
            "category": "marketing_messages",
            "value": value,
            "timestamp": int(time.time()),
        }
        update = preference_update(number, phone, preference)
        self.post(number.waba, number, update)


def _log_failure(error: Exception) -> None:
    log.error("an action of the clock failed", exc_info=error)
