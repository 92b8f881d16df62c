"""The sidebar of both admin sites. A link appears only for those who may open the page behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

Item = dict[str, Any]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links for the site of the current host; groups without a link for this person are left out."""
    public = getattr(connection, "schema_name", "") == get_public_schema_name()
    groups = _public_groups() if public else _organization_groups()
    return [
        {"title": title, "items": items, "separator": bool(title)}
        for title, links in groups
        if (items := [link(request) for link in links if link.allowed(request)])
    ]


class Link:
    """One entry of the sidebar: `target` is a URL name below `admin:`, `permission` a Django permission or ""."""

    def __init__(self, title: str, icon: str, target: str, permission: str = "") -> None:
        self.title = title
        self.icon = icon
        self.target = target
        self.permission = permission

    def allowed(self, request: HttpRequest) -> bool:
        """Whether this person may open the page."""
        return not self.permission or request.user.has_perm(self.permission)

    def __call__(self, request: HttpRequest) -> Item:
        link = reverse(f"admin:{self.target}")
        return {"title": self.title, "icon": self.icon, "link": link, "active": _active(link)}


def _active(link: str) -> Callable[[HttpRequest], bool]:
    """Whether the page is open: the overview only itself, every other link with all the pages below it."""
    index = reverse("admin:index")
    return lambda request: request.path == link or (link != index and request.path.startswith(link))


def _organization_groups() -> list[tuple[str, list[Link]]]:
    return [
        ("", [Link(_("Today"), "monitoring", "index")]),
        (
            _("Messaging"),
            [
                Link(_("Messages"), "chat", "messaging_message_changelist", "messaging.view_message"),
                Link(_("Campaigns"), "campaign", "campaigns_campaign_changelist", "campaigns.view_campaign"),
                Link(
                    _("Text templates"),
                    "notes",
                    "campaigns_marketingtemplate_changelist",
                    "campaigns.view_marketingtemplate",
                ),
                Link(_("Channels"), "hub", "messaging_channel_changelist", "messaging.view_channel"),
                Link(
                    _("Templates"), "article", "messaging_messagetemplate_changelist", "messaging.view_messagetemplate"
                ),
                Link(_("Files"), "attach_file", "messaging_mediafile_changelist", "messaging.view_mediafile"),
                Link(_("What is going on"), "monitor_heart", "messaging_channel_pulse", "messaging.view_channel"),
                Link(
                    _("Operators"), "cell_tower", "messaging_operatorprefix_changelist", "messaging.view_operatorprefix"
                ),
            ],
        ),
        (
            _("Customers"),
            [
                Link(_("Contacts"), "contacts", "contacts_contact_changelist", "contacts.view_contact"),
                Link(_("Groups"), "groups", "contacts_group_changelist", "contacts.view_group"),
                Link(_("Segments"), "filter_alt", "contacts_segment_changelist", "contacts.view_segment"),
                Link(_("Custom fields"), "list_alt", "contacts_customfield_changelist", "contacts.view_customfield"),
                Link(_("Imports"), "upload_file", "contacts_contactimport_changelist", "contacts.view_contactimport"),
                Link(_("Actions"), "checklist", "contacts_contactjob_changelist", "contacts.view_contactjob"),
                Link(_("Do not write to"), "block", "contacts_suppression_changelist", "contacts.view_suppression"),
                Link(
                    _("Opt-out words"),
                    "do_not_disturb_on",
                    "contacts_optoutpolicy_changelist",
                    "contacts.view_optoutpolicy",
                ),
            ],
        ),
        (
            _("Connected for others"),
            [
                Link(_("Businesses"), "storefront", "messaging_customer_changelist", "messaging.view_customer"),
                Link(_("Setup links"), "link", "messaging_setuplink_changelist", "messaging.view_setuplink"),
            ],
        ),
        (
            _("Webhooks"),
            [
                Link(_("Webhooks"), "webhook", "webhooks_app_endpoint_changelist", "webhooks_app.view_endpoint"),
                Link(_("Deliveries"), "outbox", "webhooks_app_delivery_changelist", "webhooks_app.view_delivery"),
            ],
        ),
        (
            _("One-time passwords"),
            [
                Link(_("Codes"), "password", "otp_onetimepassword_changelist", "otp.view_onetimepassword"),
                Link(_("Limits"), "shield", "otp_otppolicy_changelist", "otp.view_otppolicy"),
            ],
        ),
        (
            _("Credits"),
            [
                Link(_("Accounts"), "toll", "billing_creditaccount_changelist", "billing.view_creditaccount"),
                Link(_("Ledger"), "receipt_long", "billing_ledgerentry_changelist", "billing.view_ledgerentry"),
                Link(_("Prices"), "sell", "tariffs_tariff_changelist", "tariffs.view_tariff"),
            ],
        ),
        (
            _("Organisation"),
            [
                Link(_("Profile"), "apartment", "tenants_organization_changelist", "tenants.view_organization"),
                Link(_("Members"), "group", "tenants_membership_changelist", "tenants.view_membership"),
                Link(_("Invitations"), "mail", "tenants_invitation_changelist", "tenants.view_invitation"),
                Link(_("API keys"), "key", "tenants_apikey_changelist", "tenants.view_apikey"),
                Link(_("History"), "history", "admin_logentry_changelist", "admin.view_logentry"),
                Link(
                    _("Kept how long"),
                    "auto_delete",
                    "tenants_retentionperiod_changelist",
                    "tenants.view_retentionperiod",
                ),
                Link(_("Audit log"), "policy", "audit_auditentry_changelist", "audit.view_auditentry"),
            ],
        ),
    ]


def _public_groups() -> list[tuple[str, list[Link]]]:
    return [
        ("", [Link(_("Overview"), "monitoring", "index")]),
        (
            _("Organisations"),
            [
                Link(_("Organisations"), "apartment", "tenants_organization_changelist"),
                Link(_("Plans"), "sell", "tenants_plan_changelist"),
                Link(_("Subscriptions"), "receipt_long", "tenants_subscription_changelist"),
                Link(_("Domains"), "language", "tenants_domain_changelist"),
                Link(_("Credits"), "toll", "tariffs_organizationcredits_changelist"),
                Link(_("Tariffs"), "price_change", "tariffs_tariff_changelist"),
            ],
        ),
        (
            _("People"),
            [
                Link(_("Users"), "group", "tenants_user_changelist"),
                Link(_("Support access"), "support_agent", "tenants_supportaccess_changelist"),
                Link(_("Failed logins"), "lock", "axes_accessattempt_changelist"),
                Link(_("History"), "history", "admin_logentry_changelist"),
                Link(_("Audit log"), "policy", "audit_auditentry_changelist"),
            ],
        ),
        (
            _("Machine room"),
            [
                Link(_("Channels"), "monitor_heart", "tenants_channelhealth_changelist"),
                Link(_("Inbound events"), "move_to_inbox", "tenants_inboundevent_changelist"),
                Link(_("Inbound routes"), "alt_route", "tenants_inboundroute_changelist"),
                Link(_("Agenda"), "event_note", "tenants_agendaitem_changelist"),
                Link(_("Kept how long"), "auto_delete", "tenants_retentionperiod_changelist"),
                Link(_("Removals"), "delete_sweep", "tenants_retentionstate_changelist"),
                Link(_("Periodic tasks"), "schedule", "django_celery_beat_periodictask_changelist"),
                Link(_("Intervals"), "timelapse", "django_celery_beat_intervalschedule_changelist"),
                Link(_("Cron times"), "calendar_clock", "django_celery_beat_crontabschedule_changelist"),
            ],
        ),
    ]
