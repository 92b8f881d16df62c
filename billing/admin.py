"""An organisation's view of its credits: accounts, ledger, prices. It gives credits to members; others top it up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin_forms import AmountForm, MemberAmountForm
from billing.amounts import amount_text
from billing.models import CreditAccount, LedgerEntry
from billing.services.credits import credits_add, credits_transfer, held_of
from billing.tariffs.models import Tariff
from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import posted
from config.admin_sites import organization_of, organization_site
from tenants.errors import Conflict
from tenants.models import Membership
from tenants.services.memberships import membership_get

KIND_COLOURS = {
    LedgerEntry.Kind.TOP_UP: "success",
    LedgerEntry.Kind.TRANSFER: "info",
    LedgerEntry.Kind.ADJUST: "warning",
    LedgerEntry.Kind.RELEASE: "info",
    LedgerEntry.Kind.HOLD: "default",
    LedgerEntry.Kind.SETTLE: "default",
}
_SHOWN = 40


@admin.register(CreditAccount, site=organization_site)
class CreditAccountAdmin(HistoryAdmin[CreditAccount], ReadOnlyAdmin[CreditAccount]):
    list_display = ("name", "available", "charges", "created_at")
    search_fields = ("label",)
    search_help_text = gettext_lazy("E-mail")
    fields = ("name", "available", "reserved", "limit", "charges", "created_at", "latest")
    readonly_fields = fields
    actions_detail = ("give", "take_back")
    empty_title = gettext_lazy("Nothing is charged")
    empty_text = gettext_lazy(
        "This organisation sends without credits. Members may be given credits all the same: they then pay from an "
        "account of their own and cannot send more than that."
    )

    @property
    def add_label(self) -> str:
        return _("Give a member credits")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_creditaccount")

    @display(description=gettext_lazy("account"), ordering="label")
    def name(self, obj: CreditAccount) -> str:
        return str(obj)

    @display(description=gettext_lazy("available"), ordering="balance")
    def available(self, obj: CreditAccount) -> str:
        return amount_text(obj.balance)

    @display(description=gettext_lazy("reserved"))
    def reserved(self, obj: CreditAccount) -> str:
        held = held_of(account_ids=[obj.pk]).get(obj.pk)
        return _("%(credits)s for messages that are still open") % {"credits": amount_text(held)} if held else "0"

    @display(description=gettext_lazy("given in all"))
    def limit(self, obj: CreditAccount) -> str:
        if obj.membership_id is None:
            return "–"
        limit = Membership.objects.filter(pk=obj.membership_id).values_list("credit_limit", flat=True).first()
        return "–" if limit is None else amount_text(limit)

    @display(description=gettext_lazy("pays"), label={"yes": "success", "no": "default"})
    def charges(self, obj: CreditAccount) -> tuple[str, str]:
        return ("yes", _("yes")) if obj.is_active else ("no", _("switched off"))

    @display(description=gettext_lazy("latest movements"))
    def latest(self, obj: CreditAccount) -> SafeString:
        rows = [
            (
                date_format(timezone.localtime(entry.at), "j M H:i:s"),
                entry.get_kind_display(),
                _signed(entry.amount),
                _signed(entry.held),
                entry.messages or "",
                entry.reason,
            )
            for entry in obj.entries.order_by("-id")[:_SHOWN]
        ]
        heads = (_("time"), _("what"), _("available"), _("reserved"), _("messages"), _("reason"))
        return format_html(
            '<table class="gr-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
            format_html_join("", "<th>{}</th>", ((head,) for head in heads)),
            format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows),
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Give any member credits, also one without an account."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = MemberAmountForm(posted(request), organization_id=organization_of(request).pk)

        def run() -> str:
            credits_add(membership=form.cleaned_data["member"], **form.movement())
            return _("The credits are there.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Give a member credits"),
            submit=_("Give"),
            text=_(
                "They come from the organisation's account when that is charged. From then on this member pays from "
                "an account of their own and cannot send more than it has."
            ),
        )

    def _member_account(self, request: HttpRequest, object_id: Any) -> CreditAccount | None:
        """The account of a member, for those who may move credits."""
        if not request.user.has_perm("billing.change_creditaccount") or object_id is None:
            return None
        account = self.object_or_404(request, str(object_id))
        return account if account.membership_id is not None else None

    def has_give_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._member_account(request, object_id) is not None

    def has_take_back_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._member_account(request, object_id) is not None

    @action(description=gettext_lazy("Give credits"), url_path="give", icon="add_card", permissions=["give"])
    def give(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.object_or_404(request, object_id)
        form = AmountForm(posted(request))

        def run() -> str:
            member = membership_get(
                organization_id=organization_of(request).pk, membership_id=account.membership_id or 0
            )
            credits_add(membership=member, **form.movement())
            self.log(request, [account], CHANGE, _("Credits given."))
            return _("The credits are there.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Give %(name)s credits") % {"name": account},
            submit=_("Give"),
            text=_("They come from the organisation's account when that is charged."),
            back=self.page_url("change", account.pk),
        )

    @action(description=gettext_lazy("Take back"), url_path="take-back", icon="undo", permissions=["take_back"])
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.object_or_404(request, object_id)
        form = AmountForm(posted(request))

        def run() -> str:
            target = CreditAccount.objects.filter(membership_id=None).first()
            if target is None:
                raise Conflict("organization_not_charged", _("The organisation has no account that could take them."))
            credits_transfer(from_id=account.pk, to_id=target.pk, **form.movement())
            self.log(request, [account], CHANGE, _("Credits taken back."))
            return _("The credits are back in the organisation's account.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Take credits back from %(name)s") % {"name": account},
            submit=_("Take back"),
            text=_("What is reserved for messages stays; only what is available can be taken."),
            back=self.page_url("change", account.pk),
        )


@admin.register(LedgerEntry, site=organization_site)
class LedgerEntryAdmin(HistoryAdmin[LedgerEntry], ReadOnlyAdmin[LedgerEntry], BigTableAdmin[LedgerEntry]):
    list_display = ("when", "account", "kind_label", "change", "reserved", "messages", "reason", "by")
    list_select_related = ("account",)
    list_filter = ("kind",)
    search_fields = ("reference",)
    search_help_text = gettext_lazy("Reference, or beginning of an account's e-mail")
    fields = (
        *("when", "account", "kind_label", "change", "reserved", "messages", "reason", "by", "reference"),
        *("channel_id", "campaign_run_id", "bulk_uuid"),
    )
    readonly_fields = fields
    empty_title = gettext_lazy("No movement yet")
    empty_text = gettext_lazy("Every credit that comes, is reserved, spent or given back has its line here, for ever.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[LedgerEntry], term: str) -> QuerySet[LedgerEntry]:
        accounts = CreditAccount.objects.filter(label__istartswith=term).values_list("pk", flat=True)[:20]
        return queryset.filter(Q(reference=term) | Q(account_id__in=list(accounts)))

    @display(description=gettext_lazy("time"))
    def when(self, obj: LedgerEntry) -> str:
        return date_format(timezone.localtime(obj.at), "j M Y H:i:s")

    @display(description=gettext_lazy("what"), label=KIND_COLOURS)
    def kind_label(self, obj: LedgerEntry) -> tuple[str, str]:
        return obj.kind, obj.get_kind_display()

    @display(description=gettext_lazy("available"))
    def change(self, obj: LedgerEntry) -> str:
        return _signed(obj.amount)

    @display(description=gettext_lazy("reserved"))
    def reserved(self, obj: LedgerEntry) -> str:
        return _signed(obj.held)


@admin.register(Tariff, site=organization_site)
class TariffAdmin(HistoryAdmin[Tariff], ReadOnlyAdmin[Tariff]):
    """The prices that can apply to this organisation: general ones and its own, nobody else's."""

    list_display = ("destination", "operator", "channel_kind", "category", "price_text", "unit", "valid_from")
    list_filter = ("category", "unit")
    search_fields = ("country__iexact", "operator__startswith")
    search_help_text = gettext_lazy("Country or operator")
    fields = ("country", "operator", "channel_kind", "channel_id", "category", "price_text", "unit", "valid_from")
    readonly_fields = fields
    empty_title = gettext_lazy("No prices yet")
    empty_text = gettext_lazy("The platform sets them. Without a price a message that is charged is refused.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tariff]:
        own = Q(organization_id=organization_of(request).pk) | Q(organization_id=None)
        return super().get_queryset(request).filter(own)

    @display(description=gettext_lazy("country"), ordering="country")
    def destination(self, obj: Tariff) -> str:
        return obj.country or _("everywhere")

    @display(description=gettext_lazy("price in credits"), ordering="price")
    def price_text(self, obj: Tariff) -> str:
        return amount_text(obj.price)


def _signed(amount: Any) -> str:
    return f"+{amount_text(amount)}" if amount > 0 else amount_text(amount).replace("-", "\u2212")
