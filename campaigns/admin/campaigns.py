"""Campaigns in the admin: list, composer, planner, live progress, results."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.admin.composer_pages import MAY_CHANGE, ComposerPages
from campaigns.admin.forms import CopyForm, TestSendForm
from campaigns.admin.progress import STATUS_COLOURS, progress_context
from campaigns.admin.results import SKIPPED, results_csv, results_found
from campaigns.admin.summary import campaign_summary
from campaigns.models import Campaign, Run, SkippedRecipient
from campaigns.reports import Totals, run_totals
from campaigns.services.campaigns import campaign_delete, campaign_duplicate
from campaigns.services.control import (
    campaign_cancel,
    campaign_launch,
    campaign_pause,
    campaign_resume,
    campaign_retry_failed,
    campaign_test_send,
)
from campaigns.services.plan import campaign_plan
from config.admin_base import ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ReasonForm, ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from config.reasons import reason_said
from messaging.models import Message
from tenants.auth import capability_here, own_history_of

# Who tries a campaign out tries it again with the same phone.
_TEST_NUMBER = "campaign_test_number"
Status = Campaign.Status


@admin.register(Campaign, site=organization_site)
class CampaignAdmin(ComposerPages, ReadOnlyAdmin[Campaign]):
    list_display = ("name", "status_label", "channel", "audience_kind", "progress", "next_run", "created_at")
    list_select_related = ("channel", "schedule")
    list_filter = ("status", "audience_kind")
    search_fields = ("name",)
    ordering = ("-id",)
    fieldsets = (
        (gettext_lazy("Technical"), {"fields": ("public_id", "zone", "created_at"), "classes": ("collapse",)}),
    )
    actions_detail = ("launch", "edit", "test_send", "pause", "resume", "retry_failed", "duplicate", "cancel", "remove")
    empty_title = gettext_lazy("No campaign yet")
    empty_text = gettext_lazy("Write a message once and send it to many people, now, later or again and again.")

    @property
    def add_label(self) -> str:
        return _("New campaign")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            *self.composer_urls(view),
            path("<int:pk>/runs/<int:run_id>/", view(self.results_view), name="campaigns_campaign_results"),
            path("<int:pk>/runs/<int:run_id>/csv/", view(self.csv_view), name="campaigns_campaign_csv"),
            *super().get_urls(),
        ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The newest run of every campaign of the page and its numbers, with two queries for all."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        newest = Run.objects.filter(campaign_id__in=[row.pk for row in rows]).order_by("campaign_id", "-id")
        runs = {run.campaign_id: run for run in newest.distinct("campaign_id")}
        totals = run_totals(run_ids=[run.pk for run in runs.values()])
        for row in rows:
            run = runs.get(row.pk)
            row.newest_totals = totals.get(run.pk, Totals()) if run else None
        changelist.result_list = rows
        return changelist

    @display(description=gettext_lazy("state"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, obj: Campaign) -> tuple[str, str]:
        return obj.status, str(obj.get_status_display())

    @display(description=gettext_lazy("last run"))
    def progress(self, obj: Any) -> str:
        totals: Totals | None = obj.newest_totals
        if totals is None:
            return "–"
        return _("%(done)s of %(all)s done, %(failed)s failed") % {
            "done": number_format(totals.done, force_grouping=True),
            "all": number_format(totals.accepted, force_grouping=True),
            "failed": number_format(totals.failed, force_grouping=True),
        }

    @display(description=gettext_lazy("next"))
    def next_run(self, obj: Campaign) -> str:
        schedule = getattr(obj, "schedule", None)
        if schedule is None or schedule.next_at is None:
            return "–"
        return date_format(timezone.localtime(schedule.next_at), "j M H:i")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        campaign = context["original"]
        context |= progress_context(campaign) | self._rights(request, campaign)
        context |= {"title": campaign.name, "subtitle": None, "summary": campaign_summary(campaign)}
        return super().render_change_form(request, context, *args, **kwargs)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The campaign's page; `?part=1` answers only what renews itself."""
        if request.GET.get("part") == "1":
            campaign = self.object_or_404(request, object_id)
            context = progress_context(campaign) | self._rights(request, campaign)
            return TemplateResponse(request, "admin/campaign_progress.html", context)
        return super().change_view(request, object_id, form_url, extra_context)

    def _allowed(self, request: HttpRequest, object_id: Any, statuses: Collection[str]) -> bool:
        """The right to change, and for one campaign also the fitting state."""
        if not request.user.has_perm(MAY_CHANGE) or object_id is None:
            return request.user.has_perm(MAY_CHANGE)
        return self.object_or_404(request, str(object_id)).status in statuses

    def has_launch_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, set(Status.values) - {Status.RUNNING, Status.PAUSED})

    def has_edit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, set(Status.values) - {Status.RUNNING, Status.CANCELLED})

    def has_write_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, set(Status.values))

    def has_pause_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, {Status.RUNNING, Status.SCHEDULED})

    def has_resume_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, {Status.PAUSED})

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._allowed(request, object_id, {Status.RUNNING, Status.SCHEDULED, Status.PAUSED})

    def has_retry_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        statuses = {Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.SCHEDULED}
        if not self._allowed(request, object_id, statuses) or object_id is None:
            return request.user.has_perm(MAY_CHANGE) and object_id is None
        run = Run.objects.filter(campaign_id=int(str(object_id))).order_by("-id").first()
        return run is not None and bool(run_totals(run_ids=[run.pk]).get(run.pk, Totals()).failed)

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("campaigns.delete_campaign") or object_id is None:
            return request.user.has_perm("campaigns.delete_campaign")
        return not self.object_or_404(request, str(object_id)).runs.exists()

    def _run(
        self,
        request: HttpRequest,
        object_id: str,
        service: Callable[[Campaign, ServiceForm], object],
        *,
        done: str | Promise,
        form: ServiceForm | None = None,
        back: str = "",
        **page: Any,
    ) -> HttpResponse:
        """Ask, call the service, note it in the history, go back to the campaign."""
        campaign = self.object_or_404(request, object_id)
        asked = form or ConfirmForm(posted(request))

        def run() -> str:
            service(campaign, asked)
            self.log(request, [campaign], CHANGE, str(done))
            return str(done)

        return self.run_form(request, form=asked, run=run, back=back or self.page_url("change", campaign.pk), **page)

    @action(description=gettext_lazy("Plan and send"), url_path="launch", icon="send", permissions=["launch"])
    def launch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        plan = campaign_plan(campaign_id=campaign.pk) if request.method != "POST" else None
        labels = dict(SkippedRecipient.Reason.choices)
        skipped = sorted(plan.skipped.items(), key=lambda item: -item[1]) if plan else []
        return self._run(
            request,
            object_id,
            lambda campaign, _form: campaign_launch(campaign_id=campaign.pk),
            done=_("Launched."),
            title=_("Send %(name)s now") % {"name": campaign.name},
            submit=_("Send now"),
            template="admin/campaign_plan.html",
            plan=plan,
            problems=[reason_said(problem) for problem in plan.problems] if plan else [],
            about_cost=plan is not None and not plan.is_exact,
            skipped=[(labels.get(reason, reason), count) for reason, count in skipped],
        )

    @action(description=gettext_lazy("Test message"), url_path="test-send", icon="science", permissions=["write"])
    def test_send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        initial = {"to": request.session.get(_TEST_NUMBER, "")}
        form = TestSendForm(posted(request), campaign=campaign, initial=initial)
        organization = organization_of(request)

        def send(campaign: Campaign, form: ServiceForm) -> None:
            given = form.cleaned_data
            campaign_test_send(
                organization=organization,
                campaign_id=campaign.pk,
                to=given["to"],
                variant_id=given.get("variant") or None,
            )
            request.session[_TEST_NUMBER] = given["to"]

        return self._run(
            request,
            object_id,
            send,
            done=_("A test message is on its way."),
            form=form,
            title=_("Send a test message"),
            submit=_("Send"),
            text=_("It goes to this number only, filled with the values of the contact who has it."),
        )

    @action(description=gettext_lazy("Pause"), url_path="pause", icon="pause", permissions=["pause"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run(
            request,
            object_id,
            lambda campaign, form: campaign_pause(campaign_id=campaign.pk, reason=form.cleaned_data["reason"]),
            done=_("Paused."),
            form=ReasonForm(posted(request)),
            title=_("Pause the campaign"),
            submit=_("Pause"),
            text=_(
                "What waits leaves the queue and stays; what is under way arrives. Occurrences meanwhile are missed."
            ),
        )

    @action(description=gettext_lazy("Resume"), url_path="resume", icon="play_arrow", permissions=["resume"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run(
            request,
            object_id,
            lambda campaign, _form: campaign_resume(campaign_id=campaign.pk),
            done=_("Resumed."),
            title=_("Resume the campaign"),
            submit=_("Resume"),
            text=_("It goes on where it was paused. Nobody gets anything twice."),
        )

    @action(description=gettext_lazy("Retry failed"), url_path="retry", icon="replay", permissions=["retry"])
    def retry_failed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run(
            request,
            object_id,
            lambda campaign, _form: campaign_retry_failed(campaign_id=campaign.pk),
            done=_("The failed messages are queued again."),
            title=_("Send the failed messages again"),
            submit=_("Send again"),
            text=_("Only messages of the newest run that failed; everybody else gets nothing more."),
        )

    @action(description=gettext_lazy("Duplicate"), url_path="duplicate", icon="content_copy", permissions=["write"])
    def duplicate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        form = CopyForm(posted(request), initial={"name": _("%(name)s (copy)") % {"name": campaign.name[:100]}})
        made: list[Campaign] = []

        def run() -> str:
            name = form.cleaned_data["name"]
            made.append(campaign_duplicate(campaign_id=campaign.pk, name=name, created_by_id=request.user.pk))
            self.log(request, made, ADDITION, _("A copy was made."))
            return _("A copy was made.")

        answer = self.run_form(
            request,
            form=form,
            run=run,
            title=_("Duplicate the campaign"),
            submit=_("Duplicate"),
            text=_("A draft with the same texts, recipients and schedule; its schedule is switched off."),
            back=self.page_url("change", campaign.pk),
        )
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    @action(description=gettext_lazy("Cancel"), url_path="cancel", icon="cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run(
            request,
            object_id,
            lambda campaign, _form: campaign_cancel(campaign_id=campaign.pk),
            done=_("Cancelled."),
            title=_("Cancel the campaign"),
            submit=_("Cancel the campaign"),
            text=_("For good: what waits is never sent, and the schedule is switched off."),
            danger=True,
        )

    @action(description=gettext_lazy("Delete"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run(
            request,
            object_id,
            lambda campaign, _form: campaign_delete(campaign_id=campaign.pk),
            done=_("Deleted."),
            back=self.page_url("changelist"),
            title=_("Delete the campaign"),
            submit=_("Delete"),
            text=_("It never ran, so nothing else is lost."),
            danger=True,
        )

    def _sees_recipients(self, request: HttpRequest, campaign: Campaign) -> bool:
        """Whether the person may see who got what: senders only of campaigns that they made, as in the message list."""
        if not request.user.has_perm("messaging.view_message"):
            return False
        return own_history_of(request.user) is None or campaign.created_by_id == request.user.pk

    def _rights(self, request: HttpRequest, campaign: Campaign) -> dict[str, bool]:
        sees = self._sees_recipients(request, campaign)
        return {"may_see_recipients": sees, "may_export": sees and capability_here(request.user, "export_data")}

    def _run_or_404(self, request: HttpRequest, pk: int, run_id: int) -> Run:
        campaign = self.object_or_404(request, str(pk))
        if not self._sees_recipients(request, campaign):
            raise PermissionDenied
        run = Run.objects.select_related("campaign").filter(pk=run_id, campaign_id=campaign.pk).first()
        if run is None:
            raise Http404(_("No such object here."))
        return run

    def results_view(self, request: HttpRequest, pk: int, run_id: int) -> HttpResponse:
        """Recipients of one run in the order of their address; `?status=` and `?after=`."""
        run = self._run_or_404(request, pk, run_id)
        status = request.GET.get("status", "")
        if status not in {"", SKIPPED, *Message.Status.values}:
            raise Http404(_("No such object here."))
        after = request.GET.get("after", "").replace("\x00", "")[:160]
        rows, older = results_found(run=run, status=status, after=after)
        labels = {**dict(Message.Status.choices), SKIPPED: _("Skipped")}
        shown = [(row, labels.get(row.status, row.status)) for row in rows]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Recipients of %(name)s") % {"name": run.campaign.name},
            "run": run,
            "rows": shown,
            "status": status,
            "statuses": [("", _("All messages")), *((s, labels[s]) for s in (*_RESULT_STATUSES, SKIPPED))],
            "may_export": capability_here(request.user, "export_data"),
            "older": older,
            "totals": run_totals(run_ids=[run.pk]).get(run.pk, Totals()),
        }
        return TemplateResponse(request, "admin/campaign_results.html", context)

    def csv_view(self, request: HttpRequest, pk: int, run_id: int) -> HttpResponseBase:
        """Everything about the run's recipients, streamed."""
        if not capability_here(request.user, "export_data"):
            raise PermissionDenied
        return results_csv(self._run_or_404(request, pk, run_id))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).select_related("channel")


_RESULT_STATUSES = ("queued", "scheduled", "sent", "delivered", "read", "failed", "cancelled", "in_doubt")
