"""Super-admins: the price list, and credits of organisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tenants.utils import tenant_context

from billing.admin_forms import AmountForm
from billing.amounts import amount_text
from billing.destinations import country_known, operators_of
from billing.models import CreditAccount
from billing.pricing import prices_forget
from billing.reports import balances_of
from billing.services.credits import account_close, account_open, credits_adjust, credits_top_up
from billing.tariffs.models import OrganizationCredits, Tariff
from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import public_site
from config.admin_widgets import SelectWidget
from messaging.drivers.registry import driver_choices
from messaging.operators import operator_slug
from tenants.errors import NotFound
from tenants.services.organizations import customer_organizations

if TYPE_CHECKING:
    _TariffForm = forms.ModelForm[Tariff]
else:
    _TariffForm = forms.ModelForm


class TariffForm(_TariffForm):
    """One price; country and operator as the platform knows them."""

    class Meta:
        model = Tariff
        fields = (
            *("organization", "country", "operator", "channel_kind", "channel_id", "category", "price", "unit"),
            "valid_from",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["valid_from"].required = False
        kinds = [("", _("Every kind")), *driver_choices()]
        self.fields["channel_kind"] = forms.ChoiceField(
            label=_("kind of channel"), choices=kinds, required=False, widget=SelectWidget(choices=kinds)
        )

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if country and not country_known(country):
            raise forms.ValidationError(_("There is no such country."))
        return country

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        operator, country = str(given.get("operator") or "").strip(), given.get("country") or ""
        given["operator"] = operator_slug(operator) if operator else ""
        if operator and not country and "country" not in self.errors:
            self.add_error("country", _("An operator needs its country."))
        if given.get("channel_id") and not given.get("organization"):
            self.add_error("organization", _("A channel needs its organisation."))
        return given

    def clean_valid_from(self) -> Any:
        return self.cleaned_data["valid_from"] or timezone.now()


@admin.register(Tariff, site=public_site)
class TariffAdmin(HistoryAdmin[Tariff]):
    form = TariffForm
    list_display = (
        *("destination", "operator", "channel_kind", "category", "price_text", "unit"),
        *("for_whom", "valid_from"),
    )
    list_filter = ("category", "unit")
    list_select_related = ("organization",)
    search_fields = ("country__iexact", "operator__startswith", "organization__name__startswith")
    search_help_text = gettext_lazy("Country, operator or organisation")
    autocomplete_fields = ("organization",)
    empty_title = gettext_lazy("No prices yet")
    empty_text = gettext_lazy(
        "An organisation whose messages are charged needs a price for each. Of several that fit, the one with an "
        "organisation of its own, then an operator, a country, a channel, a kind, a category wins; then the later one."
    )

    @display(description=gettext_lazy("country"), ordering="country")
    def destination(self, obj: Tariff) -> str:
        return obj.country or _("everywhere")

    @display(description=gettext_lazy("price in credits"), ordering="price")
    def price_text(self, obj: Tariff) -> str:
        return amount_text(obj.price)

    @display(description=gettext_lazy("for"), ordering="organization__name")
    def for_whom(self, obj: Tariff) -> str:
        return str(obj.organization) if obj.organization else _("everybody")

    def save_model(self, request: HttpRequest, obj: Tariff, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        prices_forget()

    def delete_model(self, request: HttpRequest, obj: Tariff) -> None:
        super().delete_model(request, obj)
        prices_forget()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Names the operators that numbers of the tariff's country tell apart."""
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None and obj.country and "operator" in form.base_fields:
            known = ", ".join(operators_of(obj.country)) or "–"
            form.base_fields["operator"].help_text = _("Known in this country: %(names)s") % {"names": known}
        return form


@admin.register(OrganizationCredits, site=public_site)
class OrganizationCreditsAdmin(HistoryAdmin[OrganizationCredits], ReadOnlyAdmin[OrganizationCredits]):
    """Who pays, and what they have. Everything here is written into the organisation's own ledger and audit log."""

    list_display = ("organization_name", "charged", "available", "status")
    search_fields = ("name__istartswith", "slug__startswith")
    search_help_text = gettext_lazy("Name or short name")
    fields = ("organization_name", "charged", "available")
    readonly_fields = fields
    actions_detail = ("switch_on", "top_up", "correct", "switch_off")
    empty_title = gettext_lazy("No organisation yet")
    empty_text = gettext_lazy("Organisations are listed here once they exist.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrganizationCredits]:
        customers = customer_organizations().values("pk")
        return super().get_queryset(request).filter(pk__in=customers)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The balances of the page's rows, in one query."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        found = balances_of(rows)
        for row in rows:
            row.__dict__["_balance"] = found.get(row.pk)
        changelist.result_list = rows
        return changelist

    def _balance(self, obj: OrganizationCredits) -> Any:
        if "_balance" not in obj.__dict__:
            obj.__dict__["_balance"] = balances_of([obj]).get(obj.pk)
        return obj.__dict__["_balance"]

    @display(description=gettext_lazy("organisation"), ordering="name")
    def organization_name(self, obj: OrganizationCredits) -> str:
        return obj.name

    @display(description=gettext_lazy("messages are"), label={"yes": "success", "no": "default"})
    def charged(self, obj: OrganizationCredits) -> tuple[str, str]:
        balance = self._balance(obj)
        return ("yes", _("charged")) if balance and balance.is_active else ("no", _("free"))

    @display(description=gettext_lazy("available"))
    def available(self, obj: OrganizationCredits) -> str:
        balance = self._balance(obj)
        return amount_text(balance.available) if balance else "–"

    def _is_charged(self, request: HttpRequest, object_id: Any) -> bool | None:
        if object_id is None:
            return None
        balance = self._balance(self.object_or_404(request, str(object_id)))
        return bool(balance and balance.is_active)

    def has_switch_on_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_charged(request, object_id) is False

    def has_charged_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_charged(request, object_id) is True

    @action(description=gettext_lazy("Charge"), url_path="switch-on", icon="toggle_on", permissions=["switch_on"])
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(
            request,
            object_id,
            ConfirmForm(posted(request)),
            lambda _form: account_open(),
            title=_("Charge %(name)s for messages"),
            submit=_("Charge from now on"),
            text=_("It can then send only what its credits pay for: top it up at once, and see that there are prices."),
        )

    @action(description=gettext_lazy("Top up"), url_path="top-up", icon="add_card", permissions=["charged"])
    def top_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(
            request,
            object_id,
            AmountForm(posted(request)),
            lambda form: credits_top_up(account_id=_account().pk, **form.movement()),
            title=_("Top up %(name)s"),
            submit=_("Top up"),
            text=_("The organisation sees the reason in its ledger, such as the number of an invoice."),
        )

    @action(description=gettext_lazy("Correct"), url_path="correct", icon="edit", permissions=["charged"])
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(
            request,
            object_id,
            AmountForm(posted(request)),
            lambda form: credits_adjust(account_id=_account().pk, **form.movement()),
            title=_("Correct the credits of %(name)s"),
            submit=_("Correct"),
            text=_("A negative number takes credits away, at most what is available. Nothing is ever overwritten."),
        )

    @action(
        description=gettext_lazy("Stop charging"), url_path="switch-off", icon="toggle_off", permissions=["charged"]
    )
    def switch_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(
            request,
            object_id,
            ConfirmForm(posted(request)),
            lambda _form: account_close(account_id=_account().pk),
            title=_("Stop charging %(name)s"),
            submit=_("Stop charging"),
            text=_("It then sends freely. Its credits stay, and what is reserved is still spent or given back."),
            danger=True,
        )

    def _move(
        self,
        request: HttpRequest,
        object_id: str,
        form: ServiceForm,
        move: Callable[[Any], object],
        *,
        title: str,
        **page: Any,
    ) -> HttpResponse:
        """Ask, do it inside of the organisation, note it in the history."""
        organization = self.object_or_404(request, object_id)

        def run() -> str:
            with tenant_context(organization):
                move(form)
            self.log(request, [organization], CHANGE, str(page["submit"]))
            return _("Done.")

        return self.run_form(
            request,
            form=form,
            run=run,
            title=title % {"name": organization},
            back=self.page_url("change", organization.pk),
            **page,
        )


def _account() -> CreditAccount:
    """The current organisation's own account. Raises `NotFound`."""
    account = CreditAccount.objects.filter(membership_id=None).first()
    if account is None:
        raise NotFound("account_not_found", _("This organisation is not charged."))
    return account
