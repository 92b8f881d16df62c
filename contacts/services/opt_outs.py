"""What becomes of people who write STOP or START: their addresses are suppressed or free again, recorded and told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audit.services.recording import audit_record
from contacts.models import Contact, Identity, OptOutPolicy, Suppression
from contacts.services.suppressions import opt_outs_add, opt_outs_remove
from contacts.stop_words import word_normalise
from webhooks_app.services.events import event_publish

Wish = Literal["stop", "start"]


@dataclass(frozen=True, slots=True)
class OptOutRules:
    """The organisation's words, normalised, and what they do."""

    stop_words: frozenset[str]
    start_words: frozenset[str]
    scope: str
    stop_reply: str
    start_reply: str

    def wish_of(self, text: str) -> Wish | None:
        """What somebody wants who writes `text`: the whole text must be one of the words."""
        word = word_normalise(text)
        if not word:
            return None
        if word in self.stop_words:
            return "stop"
        return "start" if word in self.start_words else None

    def reply_to(self, wish: Wish) -> str:
        """The confirmation; empty for none."""
        return self.stop_reply if wish == "stop" else self.start_reply


def opt_out_rules() -> OptOutRules:
    """The rules of the current schema; the defaults while nobody has changed them."""
    policy = OptOutPolicy.objects.first() or OptOutPolicy()
    return OptOutRules(
        frozenset(filter(None, map(word_normalise, policy.stop_words))),
        frozenset(filter(None, map(word_normalise, policy.start_words))),
        policy.scope,
        policy.stop_reply,
        policy.start_reply,
    )


def contact_is_stopped(*, contact_id: int, scope: str) -> bool:
    """Whether nothing of `scope` goes to any address of the contact."""
    addresses = _addresses(contact_id)
    stopped = Suppression.objects.filter(address__in=addresses, scope__in={scope, Suppression.Scope.ALL})
    return set(stopped.values_list("address", flat=True)) == set(addresses)


def contact_opt_out(*, contact_id: int, at: datetime, scope: str, word: str) -> bool:
    """Nothing of `scope` goes to any address of the contact any more. False when it was so already."""
    is_new = not contact_is_stopped(contact_id=contact_id, scope=scope)
    opt_outs_add(addresses=_addresses(contact_id), at=at, scope=scope, note=f"Wrote {word[:40]}")
    if is_new:
        contact = Contact.objects.get(pk=contact_id)
        audit_record(action="contact.opted_out", subject=contact, new={"scope": scope, "word": word[:40]})
        data = {"contact": _told(contact), "scope": scope, "word": word[:40]}
        event_publish(type="contact.opted_out", data=data, key=str(contact.uuid))
    return is_new


def contact_opt_in(*, contact_id: int, at: datetime, word: str) -> bool:
    """The contact wants messages again; a blacklisting and a later stop stay. False when nothing was stopped."""
    scopes = [Suppression.Scope.ALL, Suppression.Scope.MARKETING]
    if not opt_outs_remove(addresses=_addresses(contact_id), at=at, scopes=scopes):
        return False
    contact = Contact.objects.get(pk=contact_id)
    audit_record(action="contact.opted_in", subject=contact, new={"word": word[:40]})
    event_publish(type="contact.opted_in", data={"contact": _told(contact), "word": word[:40]}, key=str(contact.uuid))
    return True


def _addresses(contact_id: int) -> list[str]:
    """Everything by which the person can be reached: who stops on one channel means all of them."""
    return list(Identity.objects.filter(contact_id=contact_id).values_list("value", flat=True))


def _told(contact: Contact) -> dict[str, object]:
    return {"id": str(contact.uuid), "number": contact.pk, "name": contact.name, "phone": contact.phone}
