"""Addresses of the marketing API, below /api/."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from api.marketing.endpoint import NotFoundEndpoint
from api.marketing.views import (
    audit,
    auth,
    blacklist,
    campaign_plans,
    campaigns,
    contacts,
    groups,
    imports,
    messages,
    sub_accounts,
    templates,
    webhooks,
)


class NumberConverter:
    """An id that the database can hold: longer ones are nobody's."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(NumberConverter, "number")
urlpatterns = [
    path("auth/register", auth.RegisterView.as_view()),
    path("auth/login", auth.LoginView.as_view()),
    path("auth/me", auth.MeView.as_view()),
    path("auth/logout", auth.LogoutView.as_view()),
    path("contacts", contacts.ContactsView.as_view()),
    path("contacts/<number:id>", contacts.ContactView.as_view()),
    path("contacts/import", imports.ImportView.as_view()),
    path("contacts/import/<number:id>", imports.ImportStatusView.as_view()),
    path("contacts/import/<number:id>/errors", imports.ImportErrorsView.as_view()),
    path("contact-groups", groups.GroupsView.as_view()),
    path("contact-groups/<number:id>", groups.GroupView.as_view()),
    path("contact-groups/<number:id>/contacts", groups.GroupContactsView.as_view()),
    path("contact-groups/<number:id>/contacts/add", groups.GroupAddView.as_view()),
    path("contact-groups/<number:id>/contacts/remove", groups.GroupRemoveView.as_view()),
    path("campaigns", campaigns.CampaignsView.as_view()),
    path("campaigns/<number:id>", campaigns.CampaignView.as_view()),
    path("campaigns/<number:id>/send", campaigns.CampaignSendView.as_view()),
    path("campaigns/<number:id>/pause", campaigns.PauseView.as_view()),
    path("campaigns/<number:id>/resume", campaigns.ResumeView.as_view()),
    path("campaigns/<number:id>/cancel", campaigns.CancelView.as_view()),
    path("campaigns/<number:id>/retry", campaigns.RetryView.as_view()),
    path("campaigns/<number:id>/duplicate", campaigns.DuplicateView.as_view()),
    path("campaigns/<number:id>/schedule", campaign_plans.ScheduleView.as_view()),
    path("campaigns/<number:id>/preview", campaign_plans.NextRunsView.as_view()),
    path("campaigns/<number:id>/variants", campaign_plans.VariantsView.as_view()),
    path("campaigns/<number:id>/results", campaign_plans.ResultsView.as_view()),
    path("messages/send", messages.SendView.as_view()),
    path("messages/analyze", messages.AnalyzeView.as_view()),
    path("messages/history", messages.HistoryView.as_view()),
    path("messages/export", messages.ExportView.as_view()),
    path("messages/<number:id>", messages.MessageView.as_view()),
    path("templates", templates.TemplatesView.as_view()),
    path("templates/categories", templates.CategoriesView.as_view()),
    path("templates/<number:id>", templates.TemplateView.as_view()),
    path("templates/<number:id>/preview", templates.PreviewView.as_view()),
    path("templates/<number:id>/use", templates.UseView.as_view()),
    path("sub-accounts", sub_accounts.SubAccountsView.as_view()),
    path("sub-accounts/<number:id>", sub_accounts.SubAccountView.as_view()),
    path("sub-accounts/<number:id>/permissions", sub_accounts.PermissionsView.as_view()),
    path("sub-accounts/<number:id>/suspend", sub_accounts.SuspendView.as_view()),
    path("sub-accounts/<number:id>/activate", sub_accounts.ActivateView.as_view()),
    path("sub-accounts/<number:id>/credits", sub_accounts.CreditsView.as_view()),
    path("webhooks", webhooks.WebhooksView.as_view()),
    path("webhooks/events", webhooks.EventsView.as_view()),
    path("webhooks/<number:id>", webhooks.WebhookView.as_view()),
    path("webhooks/<number:id>/test", webhooks.WebhookTestView.as_view()),
    path("webhooks/<number:id>/toggle", webhooks.WebhookToggleView.as_view()),
    path("webhooks/<number:id>/logs", webhooks.WebhookLogsView.as_view()),
    path("webhooks/<number:id>/stats", webhooks.WebhookStatsView.as_view()),
    path("blacklist", blacklist.BlacklistView.as_view()),
    path("blacklist/check", blacklist.BlacklistCheckView.as_view()),
    path("blacklist/<number:id>", blacklist.BlacklistEntryView.as_view()),
    path("audit-logs", audit.AuditLogsView.as_view()),
    path("audit-logs/actions", audit.AuditActionsView.as_view()),
    path("audit-logs/<number:id>", audit.AuditLogView.as_view()),
    re_path("", NotFoundEndpoint.as_view()),
]
