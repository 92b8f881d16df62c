from tenants.models.access import AccessToken, Invitation, Membership, SupportAccess, User
from tenants.models.agenda import AgendaItem
from tenants.models.channel_health import ChannelHealth
from tenants.models.keys import ApiKey
from tenants.models.organization import Domain, Organization, Plan, Subscription
from tenants.models.retention import RetentionPeriod, RetentionState
from tenants.models.routing import InboundEvent, InboundRoute

__all__ = [
    "AccessToken",
    "AgendaItem",
    "ApiKey",
    "ChannelHealth",
    "Domain",
    "InboundEvent",
    "InboundRoute",
    "Invitation",
    "Membership",
    "Organization",
    "Plan",
    "RetentionPeriod",
    "RetentionState",
    "Subscription",
    "SupportAccess",
    "User",
]
