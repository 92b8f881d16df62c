"""/audit-logs: what was changed, by whom, from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.http import HttpResponse

from api.date_types import since_of, until_of
from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.audit import AuditQuery
from api.marketing.outputs.audit import AuditRow
from api.marketing.pagination import page_of
from api.problems import Problem
from audit.models import AuditEntry
from audit.reports import actions_recorded, entries_of

AuditList = data_of("AuditLogList", list[AuditRow], meta=True)
AuditAnswer = data_of("AuditLogAnswer", AuditRow)
AuditActions = data_of("AuditLogActions", list[str])
_NAMESPACE: Final = "App\\Models\\"
# Where this API's document, or its words, call a model differently from the platform.
_NAMES: Final[Mapping[str, str]] = {
    "contacts.group": "ContactGroup",
    "contacts.suppression": "Blacklist",
    "tenants.membership": "SubAccount",
    "webhooks_app.endpoint": "Webhook",
    "campaigns.marketingtemplate": "MessageTemplate",
    "messaging.messagetemplate": "ProviderTemplate",
}


class AuditLogsView(Endpoint):
    scope = "view_audit"

    @operation(
        id="listAuditLogs",
        tag="Audit logs",
        summary="List audit logs",
        description="The newest first. Secrets are blanked.",
        query=AuditQuery,
        answer=AuditList,
        done="A page of entries.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(AuditQuery)
        zone = call.credential.organization.time_zone
        rows = entries_of(
            action=asked.action,
            object_types=_object_types(asked.model_type) if asked.model_type else None,
            object_id=str(asked.model_id) if asked.model_id else None,
            since=since_of(asked.start_date, zone),
            until=until_of(asked.end_date, zone),
        )
        page, meta = page_of(rows, asked)
        return answer([_row(entry) for entry in page], meta=meta)


class AuditLogView(Endpoint):
    scope = "view_audit"

    @operation(
        id="getAuditLog",
        tag="Audit logs",
        summary="Show an audit log entry",
        description="One entry with the values before and after.",
        answer=AuditAnswer,
        done="The entry.",
        errors=("entry_not_found",),
        path={"id": "The entry's id."},
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        entry = AuditEntry.objects.filter(pk=id).first()
        if entry is None:
            raise Problem("entry_not_found", "")
        return answer(_row(entry))


class AuditActionsView(Endpoint):
    scope = "view_audit"

    @operation(
        id="listAuditActions",
        tag="Audit logs",
        summary="List the actions",
        description="Those that occur in the log.",
        answer=AuditActions,
        done="The actions.",
    )
    def get(self, call: Call) -> HttpResponse:
        return answer(actions_recorded())


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        id=entry.pk,
        user_id=entry.actor_id if entry.actor_kind == AuditEntry.ActorKind.USER else None,
        sub_account_id=entry.membership_id,
        user=entry.actor_label or None,
        action=entry.action,
        model_type=_model_type(entry.object_type),
        model_id=int(entry.object_id) if entry.object_id.isdigit() else None,
        old_values=entry.old_values,
        new_values=entry.new_values,
        ip_address=entry.address or None,
        user_agent=entry.agent or None,
        created_at=entry.created_at,
    )


def _model_type(label: str) -> str:
    """`App\\Models\\Contact` for `contacts.contact`."""
    name = _NAMES.get(label)
    if name is None:
        try:
            name = apps.get_model(label).__name__
        except (LookupError, ValueError):
            name = label.rpartition(".")[2].title()
    return _NAMESPACE + name


def _object_types(model_type: str) -> list[str]:
    """The labels that `model_type` stands for; clients write its backslashes once or doubled, or just the name."""
    name = model_type.replace("\\\\", "\\").removeprefix(_NAMESPACE).lower()
    models: Any = apps.get_models()
    labels = {model._meta.label_lower for model in models}
    return sorted(label for label in labels if _model_type(label).removeprefix(_NAMESPACE).lower() == name) or ["-"]
