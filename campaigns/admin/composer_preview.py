"""What the composer's form, while it is filled in, would send to one contact, to how many, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.http import QueryDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from campaigns.personalisation import contact_values, personalise, unknown_variables
from campaigns.recurrence import BadRule, Frequency, Rule, next_occurrences
from config.admin_changelist import count_capped
from config.reasons import reason_said
from contacts.models import Contact, Group
from contacts.services.segments import contacts_count, segment_condition
from messaging.admin.text_cost import sms_text
from messaging.models import Channel, MessageTemplate
from tenants.errors import ServiceError

_CAP: Final = 10_000
_SECONDS: Final = 2.0
_LOOKED_AT: Final = 50


def composer_preview(data: QueryDict) -> dict[str, Any]:
    """For the page beside the form: texts as one contact would read them, recipients, next times, what is wrong."""
    values = _reader()
    number = str(data.get("channel") or "")
    channel = Channel.objects.filter(pk=int(number)).first() if _is_id(number) else None
    texts, unknown = [], []
    for letter, suffix in (("A", ""), ("B", "_b"), ("C", "_c")):
        written, name = str(data.get(f"text{suffix}", "")), f"text{suffix}"
        if template := str(data.get(f"template{suffix}") or ""):
            written, name = _template_text(template, str(data.get(f"parameters{suffix}") or "")), ""
        if not written.strip():
            continue
        read = personalise(written, values)
        unknown += unknown_variables(written)
        cost = sms_text(channel=channel, text=read, written=written, field=name) if name else None
        texts.append((letter, read, cost))
    occurrences, problem = _occurrences(data, data.getlist("weekdays"))
    return {
        "reader": values["nom"],
        "texts": texts,
        "unknown": ", ".join(f"{{{name}}}" for name in dict.fromkeys(unknown)),
        "recipients": _recipients(data),
        "occurrences": occurrences,
        "zone": str(data.get("zone") or "UTC"),
        "problem": problem,
    }


def text_preview(text: str) -> dict[str, Any]:
    """The same for one text alone."""
    values = _reader()
    unknown = ", ".join(f"{{{name}}}" for name in unknown_variables(text))
    texts = [("A", personalise(text, values), None)] if text.strip() else []
    return {"reader": values["nom"], "texts": texts, "unknown": unknown}


def _reader() -> dict[str, str]:
    """The values of one of the newest contacts, of one with a name if there is one."""
    newest = list(Contact.objects.filter(phone__isnull=False).order_by("-id")[:_LOOKED_AT])
    contact = next((one for one in newest if one.name), None)
    return contact_values(
        name=contact.name if contact else "Ada Sample",
        email=contact.email if contact else "ada@example.com",
        phone=contact.phone or "" if contact else "22961000000",
        custom=contact.custom if contact else {},
    )


def _template_text(chosen: str, parameters: str) -> str:
    """The body of an approved template with its numbered values filled in; its braces are not those of variables."""
    name, _bar, language = chosen.partition("|")
    template = MessageTemplate.objects.filter(name=name, language=language).order_by("-pk").first()
    parts = template.components if template else []
    body = next((str(part.get("text") or "") for part in parts if part.get("type") == "BODY"), "")
    lines = [line.strip() for line in parameters.splitlines() if line.strip()]
    for place, line in enumerate(lines, 1):
        body = body.replace(f"{{{{{place}}}}}", line)
    return body


def _recipients(data: QueryDict) -> str:
    """About how many are meant, in words: quickly, before blocked numbers and the like are taken off."""
    kind = data.get("audience_kind")
    if kind == Campaign.Audience.ALL:
        return _contacts_said(count_capped(Contact.objects.all(), _CAP))
    if kind == Campaign.Audience.GROUPS:
        wanted = [int(pk) for pk in data.getlist("groups") if _is_id(pk)]
        number = Group.objects.filter(pk__in=wanted).aggregate(sum=Sum("member_count"))["sum"] or 0
        return _contacts_said(number, is_exact=len(wanted) < 2)
    if kind == Campaign.Audience.SEGMENT and _is_id(str(data.get("segment") or "")):
        try:
            condition = segment_condition(segment_id=int(str(data["segment"])))
        except ServiceError as error:
            return reason_said(error.message)
        found = contacts_count(condition=condition, cap=_CAP, seconds=_SECONDS)
        return _contacts_said(found) if found is not None else ""
    if kind in (Campaign.Audience.LIST, Campaign.Audience.CONTACTS):
        name = "phones" if kind == Campaign.Audience.LIST else "contacts"
        text = str(data.get(name) or "").replace(",", "\n").replace(";", "\n")
        lines = sum(1 for line in text.splitlines() if line.strip())
        return _contacts_said(lines, is_exact=False) if lines else ""
    return ""


def _contacts_said(number: int, *, is_exact: bool = True) -> str:
    count = number_format(min(number, _CAP) if is_exact else number, force_grouping=True)
    if is_exact and number > _CAP:
        return _("More than %(count)s recipients") % {"count": count}
    if not is_exact:
        return ngettext("At most %(count)s recipient", "At most %(count)s recipients", number) % {"count": count}
    return ngettext("%(count)s recipient", "%(count)s recipients", number) % {"count": count}


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _occurrences(data: QueryDict, weekdays: list[str]) -> tuple[list[datetime], str]:
    """The next ten, in the campaign's zone; or what is wrong with the schedule. Nothing while it is not filled in."""
    if not (data.get("frequency") and data.get("time") and data.get("start_date")):
        return [], ""
    weekly = data["frequency"] == Frequency.WEEKLY
    monthly = data["frequency"] == Frequency.MONTHLY
    try:
        zone = ZoneInfo(str(data.get("zone") or "UTC"))
        rule = Rule(
            Frequency(str(data["frequency"])),
            datetime.strptime(str(data["time"])[:5], "%H:%M").time(),  # noqa: DTZ007  a time of the day
            datetime.fromisoformat(str(data["start_date"])).date(),
            datetime.fromisoformat(str(data["end_date"])).date() if data.get("end_date") else None,
            int(str(data.get("interval") or 1)),
            tuple(int(day) for day in weekdays) if weekly else (),
            int(str(data["day_of_month"])) if monthly and data.get("day_of_month") else None,
        )
    except BadRule as error:
        return [], reason_said(str(error))
    except (ValueError, KeyError):
        return [], _("The schedule is not complete.")
    return [moment.astimezone(zone) for moment in next_occurrences(rule, zone, datetime.now(UTC), 10)], ""
