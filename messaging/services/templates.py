"""Templates: submit, read from the provider, delete, and apply what the provider reports about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import Change, audit_record, changes_record
from messaging.drivers.base import Capability, ContentError
from messaging.drivers.news import TemplateNews
from messaging.drivers.registry import driver_of
from messaging.drivers.templates import CursorLost, TemplateDraft, TemplateDriver, TemplateState
from messaging.models import Channel, MessageTemplate, TemplateSync
from messaging.models.template import GONE
from messaging.provider_calls import info_of, provider_ask
from messaging.services.content_refusals import content_refused
from messaging.services.template_changes import TemplateChange, template_changes_tell
from tenants.agenda import agenda_handler, agenda_put
from tenants.connection import connection
from tenants.errors import Conflict, NotFound, ServiceError

SYNC_KIND: Final = "template_sync"
SYNC_EVERY: Final = timedelta(days=1)
# An account has 6,000 templates at most, in pages of 100: more pages than this are a provider that runs in circles.
_MAX_PAGES: Final = 200
_CURSOR_TRIES: Final = 3
_REASON: Final = 500
_STATE_FIELDS: Final = (
    *("provider_id", "category", "previous_category", "status", "reason", "quality"),
    *("parameter_format", "components", "status_at"),
)


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """How many templates were new, had changed, or were gone at the provider."""

    added: int
    changed: int
    removed: int


def templates_of(*, channel: Channel) -> QuerySet[MessageTemplate]:
    """The templates that the channel may name, without those that are gone at the provider."""
    found = MessageTemplate.objects.filter(kind=channel.kind, account_id=channel.account_id)
    return found.exclude(status__in=GONE).order_by("name", "language")


def template_create(
    *,
    channel: Channel,
    name: str,
    language: str,
    category: str,
    components: Sequence[Mapping[str, Any]],
    parameter_format: str = "POSITIONAL",
) -> MessageTemplate:
    """Check a template against every rule of the provider, and submit it for review.

    The row is written before the call, so that of two at once only one is submitted, and a review that is faster than
    the answer finds it. Raises `InvalidInput` template_invalid (fields name all problems), provider_refused; `Conflict`
    template_exists, templates_not_supported, channel_refused, provider_busy, provider_unreachable. In the last case
    nobody knows whether it was taken: the row stays, and the next reading decides.
    """
    driver = _driver(channel)
    draft = driver.complete_template(TemplateDraft(name, language, category, components, parameter_format))
    try:
        driver.check_template(draft)
    except ContentError as error:
        raise content_refused(
            error, code="template_invalid", message=_("The template breaks rules of the provider.")
        ) from error
    template = _reserve(channel, draft)
    try:
        created = provider_ask(driver.build_template_create(info_of(channel), draft), driver.read_template_create)
    except ServiceError as error:
        _reserve_undo(channel, template, error)
        raise
    with transaction.atomic():
        # A webhook may have been quicker: it has filled in the provider's id, and its word stands.
        MessageTemplate.objects.filter(pk=template.pk, provider_id="").update(
            provider_id=created.provider_id, status=created.status, category=created.category or category
        )
        MessageTemplate.objects.filter(pk=template.pk).update(provider_id=created.provider_id)
        template.refresh_from_db()
        audit_record(action="template.created", subject=template, new=_described(template))
    return template


def _reserve(channel: Channel, draft: TemplateDraft) -> MessageTemplate:
    """The row in review, without the provider's id; one that was deleted earlier is used again."""
    fresh = {
        "provider_id": "",
        "category": draft.category,
        "previous_category": "",
        "next_category": "",
        "status": MessageTemplate.Status.PENDING,
        "reason": "",
        "quality": "",
        "parameter_format": draft.parameter_format,
        "components": list(draft.components),
        "created_at": timezone.now(),
        "status_at": timezone.now(),
    }
    key = {
        "kind": channel.kind,
        "account_id": channel.account_id,
        "name": draft.name,
        "language": draft.language,
    }
    try:
        with transaction.atomic():
            if MessageTemplate.objects.filter(**key, status__in=GONE).update(**fresh):
                return MessageTemplate.objects.get(**key)
            return MessageTemplate.objects.create(**key, **fresh)
    except IntegrityError as error:
        text = f"There is a template {draft.name} in {draft.language} already."
        raise Conflict("template_exists", text, {"name": _("exists in this language")}) from error


def _reserve_undo(channel: Channel, template: MessageTemplate, error: ServiceError) -> None:
    """Take the row back when the provider has refused; when nobody knows, have the account read again soon."""
    if error.code == "provider_unreachable":
        _sync_soon(channel.kind, channel.account_id)
    else:
        MessageTemplate.objects.filter(pk=template.pk, provider_id="").delete()


def template_delete(*, channel: Channel, name: str) -> list[str]:
    """Delete the template `name` in all its languages, here and at the provider; returns the languages.

    Raises `NotFound` template_not_found, and what `provider_ask` raises.
    """
    driver = _driver(channel)
    languages = list(templates_of(channel=channel).filter(name=name).values_list("language", flat=True))
    existed = provider_ask(driver.build_template_delete(info_of(channel), name), driver.read_template_delete)
    with transaction.atomic():
        rows = list(templates_of(channel=channel).filter(name=name).select_for_update().order_by("pk"))
        changes = [
            Change("template.deleted", row._meta.label_lower, row.pk, str(row), old=_described(row)) for row in rows
        ]
        _update(rows, {row.pk: {"status": MessageTemplate.Status.DELETED, "reason": ""} for row in rows})
        changes_record(changes=changes)
    if not existed and not languages:
        raise NotFound("template_not_found", _("There is no template %(name)s.") % {"name": name[:100]})
    return languages


def _described(template: MessageTemplate) -> dict[str, Any]:
    """The template as the audit log keeps it."""
    return {name: getattr(template, name) for name in ("name", "language", "category", "status", "components")}


def templates_sync(*, channel: Channel) -> SyncOutcome:
    """Read all templates of the channel's account from the provider, page by page, and note what is gone there.

    Raises what `provider_ask` raises; then nothing has changed.
    """
    driver = _driver(channel)
    started = timezone.now()
    states = _read_all(driver, channel)
    with transaction.atomic():
        outcome = _sync_apply(channel, states, started)
        TemplateSync.objects.update_or_create(
            kind=channel.kind, account_id=channel.account_id, defaults={"synced_at": started}
        )
    return outcome


def templates_watch(*, channel: Channel) -> None:
    """Read the account's templates now and then every day; for channels that were just connected."""
    if channel.account_id and isinstance(driver_of(channel.kind), TemplateDriver):
        _sync_soon(channel.kind, channel.account_id)


@agenda_handler(SYNC_KIND)
def sync_when_due(schema: str, key: str) -> datetime | None:
    """Agenda: read the templates of account `kind:account id`; ends when no channel of it is left."""
    kind, _, account_id = key.partition(":")
    channels = Channel.objects.filter(kind=kind, account_id=account_id).exclude(status=Channel.Status.DISCONNECTED)
    channel = channels.filter(status=Channel.Status.CONNECTED).first() or channels.first()
    if channel is None:
        return None
    try:
        templates_sync(channel=channel)
    except Conflict as error:
        if error.code != "channel_refused":
            raise
        # A token that is refused now is refused in five seconds too: somebody has to mend the channel first.
    return timezone.now() + SYNC_EVERY


def template_news_apply(*, channel_ids: Sequence[int], news: TemplateNews, at: datetime | None = None) -> None:
    """Apply the provider's report of `at` on one template to the accounts of these channels; repeating changes nothing.

    One that is not known here has the account read again. So has one that comes after a newer one and is not applied,
    or of the same second and says something else: what is true then only the provider knows.
    """
    accounts = Channel.objects.filter(pk__in=channel_ids).order_by().values_list("kind", "account_id").distinct()
    for kind, account_id in accounts:
        with transaction.atomic():
            row = (
                MessageTemplate.objects.filter(kind=kind, account_id=account_id, name=news.name, language=news.language)
                .select_for_update()
                .first()
            )
            is_late, is_doubtful = _compared(row, news, at)
            if row is not None and not is_late:
                _update([row], {row.pk: _news_fields(row, news) | ({"news_at": at} if at else {})})
            if row is None or is_late or is_doubtful or news.is_text_changed:
                _sync_soon(kind, account_id)


def _compared(row: MessageTemplate | None, news: TemplateNews, at: datetime | None) -> tuple[bool, bool]:
    """Whether the news are older than what the row knows, and whether they differ from it in the same second."""
    if row is None or at is None or row.news_at is None:
        return False, False
    return at < row.news_at, at == row.news_at and news.status not in ("", row.status)


def _news_fields(row: MessageTemplate, news: TemplateNews) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if news.provider_id:
        fields["provider_id"] = news.provider_id
    if news.status:
        fields |= {"status": news.status[:32], "reason": news.reason[:_REASON]}
    elif news.reason:
        fields["reason"] = news.reason[:_REASON]
    if news.category and news.category != row.category:
        fields |= {"category": news.category[:32], "previous_category": row.category, "next_category": ""}
    if news.next_category:
        fields["next_category"] = news.next_category[:32]
    if news.quality:
        fields["quality"] = news.quality[:16]
    return fields


def _read_all(driver: TemplateDriver, channel: Channel) -> list[TemplateState]:
    """All pages; from the beginning again when the provider has lost the cursor."""
    info = info_of(channel)
    for _try in range(_CURSOR_TRIES):
        states: list[TemplateState] = []
        after = ""
        try:
            for _page in range(_MAX_PAGES):
                page = provider_ask(driver.build_template_list(info, after=after), driver.read_template_list)
                states += page.templates
                if not page.after or page.after == after:
                    return states
                after = page.after
        except CursorLost:
            continue
        raise Conflict("provider_busy", _("The provider's list of templates does not end."), retry_after=60.0)
    raise Conflict("provider_busy", _("The provider's list of templates changed while it was read."), retry_after=5.0)


def _sync_apply(channel: Channel, states: Iterable[TemplateState], started: datetime) -> SyncOutcome:
    account = {"kind": channel.kind, "account_id": channel.account_id}
    wanted = {(state.name, state.language): state for state in states if state.name and state.language}
    rows = list(MessageTemplate.objects.filter(**account).select_for_update().order_by("pk"))
    known = {(row.name, row.language): row for row in rows}
    changes = {
        row.pk: fields
        for key, row in known.items()
        if key in wanted and (fields := _differences(row, wanted[key], started))
    }
    gone = {
        row.pk: {"status": MessageTemplate.Status.DELETED, "reason": "Gone at the provider."}
        for key, row in known.items()
        if key not in wanted and row.status not in GONE and row.created_at < started
    }
    _update(rows, changes | gone)
    added = [
        MessageTemplate(**account, name=name, language=language, **_state_fields(state), status_at=timezone.now())
        for (name, language), state in wanted.items()
        if (name, language) not in known
    ]
    # One that was created here in this moment has a row by now.
    MessageTemplate.objects.bulk_create(added, batch_size=500, ignore_conflicts=True)
    return SyncOutcome(len(added), len(changes), len(gone))


def _state_fields(state: TemplateState) -> dict[str, Any]:
    return {
        "provider_id": state.provider_id,
        "category": state.category[:32],
        "previous_category": state.previous_category[:32],
        "status": state.status[:32],
        "reason": state.reason[:_REASON],
        "quality": state.quality[:16],
        "parameter_format": state.parameter_format[:16],
        "components": list(state.components),
    }


def _differences(row: MessageTemplate, state: TemplateState, started: datetime) -> dict[str, Any]:
    """What the list says and the row does not; a status that changed after the list was asked for stays."""
    fields = _state_fields(state)
    if row.status_at > started:
        for name in ("status", "reason"):
            del fields[name]
    if not fields["quality"] or fields["quality"] == "UNKNOWN":
        del fields["quality"]
    if "reason" in fields and fields.get("status") == row.status and not fields["reason"]:
        # Webhooks say more about a pause than the list does.
        del fields["reason"]
    if not fields["previous_category"]:
        del fields["previous_category"]
    found = {name: value for name, value in fields.items() if getattr(row, name) != value}
    if "status" in found and (row.news_at is None or row.news_at < started):
        # News from before the list was asked for know less than it.
        found["news_at"] = started
    return found


def _update(rows: Sequence[MessageTemplate], changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Write `changes` (row id -> fields) to locked rows in one statement per 500, and tell who listens."""
    told: list[TemplateChange] = []
    written: list[MessageTemplate] = []
    now = timezone.now()
    for row in rows:
        fields = {name: value for name, value in changes.get(row.pk, {}).items() if getattr(row, name) != value}
        if not fields:
            continue
        old_status, old_category = row.status, row.category
        for name, value in fields.items():
            setattr(row, name, value)
        if row.status != old_status:
            row.status_at = now
        written.append(row)
        if (old_status, old_category) != (row.status, row.category):
            told.append(_change(row, old_status, old_category))
    MessageTemplate.objects.bulk_update(written, [*_STATE_FIELDS, "next_category", "news_at"], batch_size=500)
    template_changes_tell(told)


def _change(row: MessageTemplate, old_status: str, old_category: str) -> TemplateChange:
    return TemplateChange(
        template_id=row.pk,
        uuid=row.uuid,
        kind=row.kind,
        account_id=row.account_id,
        provider_id=row.provider_id,
        name=row.name,
        language=row.language,
        old_status=old_status,
        new_status=row.status,
        old_category=old_category,
        new_category=row.category,
        reason=row.reason,
    )


def _driver(channel: Channel) -> TemplateDriver:
    driver = driver_of(channel.kind)
    if Capability.TEMPLATE not in driver.capabilities or not isinstance(driver, TemplateDriver):
        raise Conflict("templates_not_supported", _("This kind of channel has no templates."))
    if not channel.account_id:
        text = (
            "The channel does not say which account of the provider it belongs to: without it there are no templates."
        )
        raise Conflict("templates_not_supported", text)
    return driver


def _sync_soon(kind: str, account_id: str) -> None:
    agenda_put(schema=connection.schema_name, kind=SYNC_KIND, key=f"{kind}:{account_id}", due_at=timezone.now())
