"""Admin pages of what lives in the public schema, for super-admins and, cut to their own, for organisations."""

from tenants.admin import (
    agenda,
    channel_health,
    history,
    inbound,
    keys,
    logins,
    members,
    organizations,
    people,
    plans,
    profile,
    retention,
    schedules,
)

__all__ = [
    "agenda",
    "channel_health",
    "history",
    "inbound",
    "keys",
    "logins",
    "members",
    "organizations",
    "people",
    "plans",
    "profile",
    "retention",
    "schedules",
]
