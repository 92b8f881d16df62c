"""System checks: the rules of retention fit the models and the settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from tenants.services.retention_rules import RowsRule, retention_rules


@register()
def retention_check(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every default period has a rule, and what deleted rows are pointed to by goes with them, through an index."""
    rules = [*retention_rules(public=True), *retention_rules(public=False)]
    found: list[CheckMessage] = [
        Error(f"RETENTION_DAYS names {kind!r}, which no app keeps", id="tenants.E001")
        for kind in sorted(set(settings.RETENTION_DAYS) - {rule.kind for rule in rules})
    ]
    for rule in rules:
        days = settings.RETENTION_DAYS[rule.kind]
        if days is not None and days < rule.floor_days:
            text = f"RETENTION_DAYS: {rule.kind} needs at least {rule.floor_days} days"
            found.append(Error(text, id="tenants.E002"))
        if isinstance(rule, RowsRule):
            found += _rows_check(rule)
    return found


def _rows_check(rule: RowsRule) -> list[CheckMessage]:
    problems = [] if _indexed(rule.model, rule.key) else [f"{rule.kind}: no index begins with {rule.key}"]
    if not rule.blank:
        try:
            children = rule.children()
        except ImproperlyConfigured as error:
            problems.append(str(error))
        else:
            problems += [
                f"{rule.kind}: no index begins with {child.model._meta.label}.{child.name}"
                for child, _ in children
                if not _indexed(child.model, child.name)
            ]
    return [Error(problem, id="tenants.E003") for problem in problems]


def _indexed(model: type[models.Model], name: str) -> bool:
    """Whether an index of `model` begins with the field `name`; conditional ones count when they are about it alone."""
    field = model._meta.get_field(name)
    if getattr(field, "primary_key", False) or getattr(field, "unique", False) or getattr(field, "db_index", False):
        return True
    firsts = [item.fields[0].lstrip("-") for item in model._meta.indexes if item.fields]
    firsts += [
        item.fields[0] for item in model._meta.constraints if isinstance(item, models.UniqueConstraint) and item.fields
    ]
    return name in firsts
