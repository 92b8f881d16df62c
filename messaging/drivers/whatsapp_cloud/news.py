"""Meta's news about accounts, numbers, templates and people, turned into plain language and effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from messaging.drivers.news import (
    AccountNews,
    Effect,
    IdentityMove,
    MarketingResume,
    MarketingStop,
    MessagingLimit,
    Pause,
    Quality,
    TemplateNews,
)

Told = tuple[str, tuple[Effect, ...]]
# Restrictions that stop messages; others concern the account's settings.
_SENDING: Final = frozenset({"RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"})
# Events of `account_update` after which nothing can be sent.
_ENDS: Final[Mapping[str, str]] = {
    "ACCOUNT_DELETED": "The WhatsApp business account was deleted at Meta.",
    "ACCOUNT_OFFBOARDED": "The WhatsApp business account has left the platform.",
    "PARTNER_REMOVED": "The business has withdrawn our access to its WhatsApp account.",
    "PARTNER_APP_UNINSTALLED": "The business has removed our app from its WhatsApp account.",
}
# Events of a template that are no status of their own; FLAGGED and LOCKED still send.
_STATUS_OF_EVENT: Final[Mapping[str, str]] = {
    "REINSTATED": "APPROVED",
    "UNARCHIVED": "APPROVED",
    "UNPAUSED": "APPROVED",
    "FLAGGED": "",
    "LOCKED": "",
}


def news_of(field: str, value: Mapping[str, Any]) -> AccountNews:
    """`value` of a change of `field`, in plain language and with what follows from it."""
    tell = _TELLERS.get(field)
    summary, effects = tell(value) if tell is not None else (f"{field}: {_brief(value)}", ())
    return AccountNews(field, dict(value), summary=summary[:300], effects=effects)


def number_changed(message: Mapping[str, Any]) -> AccountNews | None:
    """A system message says that a customer has moved to another number."""
    system = message.get("system")
    if not isinstance(system, Mapping) or system.get("type") != "user_changed_number":
        return None
    previous, current = message.get("from"), system.get("wa_id")
    if not _digits(previous) or not _digits(current):
        return None
    effect = IdentityMove("phone", str(previous), str(current))
    return AccountNews("system", dict(system), summary="A customer has a new number.", effects=(effect,))


def _preference(value: Mapping[str, Any]) -> Told:
    addresses = tuple(str(value[key]) for key in ("wa_id", "user_id") if isinstance(value.get(key), str))
    at, choice = _time(value.get("timestamp")), str(value.get("value"))
    if value.get("category") != "marketing_messages" or not addresses or at is None:
        return f"A customer's preference that is not known: {_brief(value)}", ()
    if choice == "stop":
        return "A customer has stopped marketing messages.", (MarketingStop(addresses, at),)
    if choice in {"resume", "signup"}:
        return "A customer allows marketing messages.", (MarketingResume(addresses, at),)
    return f"A customer's preference that is not known: {choice}", ()


def _user_id(value: Mapping[str, Any]) -> Told:
    ids = value.get("user_id")
    previous, current = (ids.get("previous"), ids.get("current")) if isinstance(ids, Mapping) else (None, None)
    if not isinstance(previous, str) or not isinstance(current, str) or not 0 < len(current) <= 128:
        return f"A change of a user id that cannot be read: {_brief(value)}", ()
    return "A customer has a new user id.", (IdentityMove("bsuid", previous, current),)


def _account(value: Mapping[str, Any]) -> Told:
    event = str(value.get("event", ""))
    if event in _ENDS:
        return _ENDS[event], (Pause(_ENDS[event]),)
    if event == "ACCOUNT_RESTRICTION":
        return _restriction(value)
    if event == "DISABLED_UPDATE":
        return _ban(value)
    if event == "ACCOUNT_VIOLATION":
        kind = _inner(value, "violation_info").get("violation_type")
        return f"Meta reports a violation of its policies: {kind}.", ()
    return f"News of the account: {event or _brief(value)}.", ()


def _restriction(value: Mapping[str, Any]) -> Told:
    rows = value.get("restriction_info")
    rows = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    kinds = [str(row.get("restriction_type")) for row in rows]
    until = max((at for row in rows if (at := _time(row.get("expiration"))) is not None), default=None)
    text = f"Meta restricts the account{f' until {until:%Y-%m-%d %H:%M} UTC' if until else ''}: {', '.join(kinds)}."
    return text, (Pause(text),) if _SENDING & set(kinds) else ()


def _ban(value: Mapping[str, Any]) -> Told:
    ban = _inner(value, "ban_info")
    state, day = ban.get("waba_ban_state"), ban.get("waba_ban_date")
    if state == "DISABLE":
        return "Meta has disabled the account.", (Pause("Meta has disabled the account."),)
    if state == "SCHEDULE_FOR_DISABLE":
        return f"Meta will disable the account on {day}.", ()
    if state == "REINSTATE":
        return "Meta has reinstated the account: its channels can be resumed.", ()
    return f"News of a ban: {state}.", ()


def _number_quality(value: Mapping[str, Any]) -> Told:
    address, event = str(value.get("display_phone_number") or ""), str(value.get("event", ""))
    effects: list[Effect] = []
    if event in {"FLAGGED", "UNFLAGGED"}:
        effects.append(Quality("RED" if event == "FLAGGED" else "UNKNOWN", address))
    limit = value.get("max_daily_conversations_per_business") or value.get("current_limit")
    if limit is not None:
        effects.append(MessagingLimit(str(limit), address))
    return f"Number {address}: {event}, messaging limit {limit or 'not given'}.", tuple(effects)


def _capability(value: Mapping[str, Any]) -> Told:
    limit = value.get("max_daily_conversations_per_business", value.get("max_daily_conversation_per_phone"))
    if limit is None:
        return f"Limits of the account: {_brief(value)}", ()
    return f"The account may write first to {limit} people a day.", (MessagingLimit(str(limit)),)


def _number_name(value: Mapping[str, Any]) -> Told:
    reason = value.get("rejection_reason")
    text = f"Display name {value.get('requested_verified_name')}: {value.get('decision')}"
    return f"{text}, {reason}." if reason and reason != "NONE" else f"{text}.", ()


def _template_status(value: Mapping[str, Any]) -> Told:
    details = _inner(value, "rejection_info").get("reason") or _inner(value, "other_info").get("description")
    details = details or (value.get("reason") if value.get("reason") not in (None, "NONE") else None)
    text = f"{_template(value)} is now {value.get('event')}"
    news = _news(
        value,
        status=_STATUS_OF_EVENT.get(str(value.get("event")), str(value.get("event") or "")),
        reason=str(details or ""),
        category=str(value.get("message_template_category") or ""),
    )
    return f"{text}: {details}" if details else f"{text}.", news


def _template_quality(value: Mapping[str, Any]) -> Told:
    score = str(value.get("new_quality_score") or "")
    return f"The quality of {_template(value)} is now {score}.", _news(value, quality=score)


def _template_category(value: Mapping[str, Any]) -> Told:
    future = value.get("correct_category")
    if future is not None:
        at = _time(value.get("category_update_timestamp"))
        when = f" on {at:%Y-%m-%d %H:%M} UTC" if at else ""
        return f"{_template(value)} becomes {future}{when}.", _news(value, next_category=str(future))
    category = str(value.get("new_category") or "")
    text = f"{_template(value)} is now {category}, it was {value.get('previous_category')}."
    return text, _news(value, category=category)


def _template_components(value: Mapping[str, Any]) -> Told:
    return f"The text of {_template(value)} has changed.", _news(value, is_text_changed=True)


_TELLERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Told]]] = {
    "user_preferences": _preference,
    "user_id_update": _user_id,
    "account_update": _account,
    "phone_number_quality_update": _number_quality,
    "business_capability_update": _capability,
    "phone_number_name_update": _number_name,
    "message_template_status_update": _template_status,
    "message_template_quality_update": _template_quality,
    "template_category_update": _template_category,
    "message_template_components_update": _template_components,
}


def _template(value: Mapping[str, Any]) -> str:
    return f"Template {value.get('message_template_name')} ({value.get('message_template_language')})"


def _news(value: Mapping[str, Any], **found: Any) -> tuple[Effect, ...]:
    """The news of the named template; nothing when the body does not say which one it is."""
    name, language = value.get("message_template_name"), value.get("message_template_language")
    if not isinstance(name, str) or not isinstance(language, str):
        return ()
    provider_id = str(value.get("message_template_id") or "")
    return (TemplateNews(provider_id, name, language.replace("-", "_"), **found),)


def _inner(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, Mapping) else {}


def _digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20


def _time(value: Any) -> datetime | None:
    """Seconds since 1970, as a number or as digits; up to the year 2199."""
    digits = str(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        return None
    return datetime.fromtimestamp(int(digits), UTC) if int(digits) <= 7_258_118_400 else None


def _brief(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={entry}" for key, entry in value.items() if isinstance(entry, str | int))[:200]
