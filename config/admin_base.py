"""Base classes of all admin pages: plain ones, read-only ones, ones for big tables, ones with a history.

Writes go through forms that call services (`config.admin_forms`), outside of any transaction of the admin, because a
service decides itself what belongs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.admin import checkbox

from audit.services.recording import audit_record
from config.admin_changelist import CappedPaginator, KeysetChangeList, PlainChangeList
from config.admin_decorators import display
from config.admin_forms import ServiceForm

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline[Any, Any]
else:

    class _ModelAdmin(UnfoldModelAdmin, Generic[M]):
        pass

    _TabularInline = UnfoldTabularInline


@cache
def _checkbox(language: str) -> str:
    """The box that chooses a row, with a place for the row's id; its label is in `language`."""
    return str(checkbox.render(ACTION_CHECKBOX_NAME, "{}"))


class GriotAdmin(_ModelAdmin[M]):
    """What every page shares: calm lists, explained empty states, no deletion in bulk unless a page asks for it."""

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    compressed_fields = True
    # unfold's template of a list asks for them once a row; what a template does not find costs it a long search.
    list_sections: ClassVar[tuple[Any, ...]] = ()
    ordering_field: ClassVar[str | None] = None
    # Shown when a list has nothing to show.
    empty_title: str | Promise = gettext_lazy("Nothing here yet")
    empty_text: str | Promise = ""

    @display(description=gettext_lazy("ID"))
    def public_id(self, obj: Any) -> str:
        """The id that the published APIs use."""
        return str(obj.uuid)

    @property
    def add_label(self) -> str:
        """Text of the button that adds a row."""
        return _("Add %(name)s") % {"name": self.model._meta.verbose_name}

    @display(description=UnfoldModelAdmin.action_checkbox.short_description)
    def action_checkbox(self, obj: Any) -> SafeString:
        """unfold's, rendered once: as a widget it takes a tenth of a page's time."""
        return format_html(_checkbox(get_language() or ""), obj.pk)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        return PlainChangeList

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Django would redirect to the overview; an id that is not here is 404, whoever else may have it."""
        raise Http404(_("No such object here."))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the page offers as a filter.

        Django takes any look-up of the model's own fields from the address. `?content__contains=...` would then tell,
        by the rows that it leaves, what a masked message says, and `?secret_hash__startswith=...` a key's hash.
        """
        offered = self.get_list_filter(request) if request is not None else self.list_filter
        for item in offered:
            if isinstance(item, type):
                if lookup == getattr(item, "parameter_name", None):
                    return True
                continue
            name = str(item[0] if isinstance(item, (tuple, list)) else item)
            if lookup == name or lookup.startswith(f"{name}__"):
                return True
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The page's own actions; deleting many rows at once is never one of them by default."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def object_or_404(self, request: HttpRequest, object_id: str) -> M:
        """The object, within what this page may show. Raises Http404, and PermissionDenied for no right to see it.

        Read once per request: every button of a page asks for it to know whether it applies.
        """
        known: dict[tuple[type[Model], str], M] = request.__dict__.setdefault("_admin_objects", {})
        found = known.get((self.model, object_id)) or self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404(_("No such object here."))
        known[self.model, object_id] = found
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return found

    def page_url(self, name: str, *arguments: Any) -> str:
        """Address of one of this model's pages: changelist, add, change, or an action's name."""
        opts = self.model._meta
        return reverse(f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_{name}", args=arguments)

    def form_page(
        self,
        request: HttpRequest,
        *,
        form: ServiceForm,
        title: str,
        submit: str,
        text: str = "",
        danger: bool = False,
        back: str = "",
        template: str = "admin/service_form.html",
        **context: Any,
    ) -> HttpResponse:
        """A form in the admin's frame. `text` explains what will happen, `submit` names the button."""
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.model._meta,
                "media": self.media + form.media,
                "title": title,
                "form": form,
                "text": text,
                "submit_label": submit,
                "danger": danger,
                "back_url": back or self.page_url("changelist"),
                **context,
            },
        )

    def run_form(
        self,
        request: HttpRequest,
        *,
        form: ServiceForm,
        run: Callable[[], str],
        title: str,
        submit: str,
        back: str = "",
        **page: Any,
    ) -> HttpResponse:
        """Show `form`; once it is valid call `run`, say what it answers and go back. Refusals appear in the form."""
        if request.method == "POST" and form.is_valid():
            done = ""
            with form.service_errors():
                done = run()
            if form.is_valid():
                messages.success(request, done)
                return HttpResponseRedirect(back or self.page_url("changelist"))
        return self.form_page(request, form=form, title=title, submit=submit, back=back, **page)


class ReadOnlyAdmin(GriotAdmin[M]):
    """Pages that only show: nobody adds, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BigTableAdmin(GriotAdmin[M]):
    """Lists of tables with millions of rows: keyset paging by id, no exact counts, searches that an index answers."""

    paginator = CappedPaginator
    ordering = ("-id",)
    list_per_page = 40
    sortable_by: ClassVar[tuple[str, ...]] = ()
    # "All that match" belongs into a background job, never into a request.
    list_disable_select_all = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Rows that match, through `search_indexed`; Django's ILIKE over several columns is never used."""
        term = search_term.replace("\x00", "").strip()
        return (self.search_indexed(request, queryset, term) if term else queryset), False

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[M], term: str) -> QuerySet[M]:
        """`queryset` narrowed to `term` (never empty) by conditions that have an index."""
        raise NotImplementedError(f"{type(self).__name__} must say how it searches")

    def response_action(self, request: HttpRequest, queryset: QuerySet[M], *args: Any) -> HttpResponse | None:
        if request.POST.get("select_across") == "1":
            messages.error(request, _("Choose the rows: an action on everything that matches is not possible here."))
            return None
        return super().response_action(request, queryset, *args)


class HistoryAdmin(GriotAdmin[M]):
    """Pages whose changes are kept in the organisation's history, readable for those who may see the history."""

    def log(self, request: HttpRequest, objects: Iterable[Model], flag: int, text: str) -> None:
        """Add one line per object to the history: who did what. `text` must not hold secrets."""
        from django.contrib.admin.models import LogEntry

        for item in objects:
            LogEntry.objects.create(
                user_id=request.user.pk or 0,
                content_type_id=ContentType.objects.get_for_model(item).pk,
                object_id=str(item.pk),
                object_repr=str(item)[:200],
                action_flag=flag,
                change_message=text,
            )

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """What a form has saved, for the history and, with old and new values, for the audit log."""
        changed = [name for name in form.changed_data if name in form.cleaned_data]
        if add or changed:
            audit_record(
                action=f"{self.opts.model_name}.{'created' if add else 'updated'}",
                subject=form.instance,
                old=None if add else {name: _audited(form.initial.get(name)) for name in changed},
                new={name: _audited(form.cleaned_data[name]) for name in changed},
            )
        return super().construct_change_message(request, form, formsets, add)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Note in the history and in the audit log what is about to be deleted."""
        for item in queryset:
            old = {field.name: _audited(field.value_from_object(item)) for field in self.opts.concrete_fields}
            audit_record(action=f"{self.opts.model_name}.deleted", subject=item, old=old)
        return super().log_deletions(request, queryset)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not request.user.has_perm("admin.view_logentry"):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One way to save, not three."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)


class SingleRowAdmin(HistoryAdmin[M]):
    """A model with one row per organisation: its list is the form of that row."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        row = self.get_queryset(request).first()
        if row is None:
            raise Http404(_("No such object here."))
        return HttpResponseRedirect(self.page_url("change", row.pk))

    def response_post_save_change(self, request: HttpRequest, obj: M) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page_url("change", obj.pk))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False, "show_close": False}
        return super().render_change_form(request, context, *args, **kwargs)


class ReadOnlyInline(_TabularInline):
    """A capped table of related rows that nobody edits here."""

    extra = 0
    can_delete = False
    per_page = 20
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """In a fixed order, because it is paged."""
        return super().get_queryset(request).order_by("pk")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _audited(value: Any) -> Any:
    """A form's value as the audit log keeps it: rows by their key."""
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, QuerySet):
        return list(value.values_list("pk", flat=True))
    return value


def plural_title(model: type[Model]) -> str:
    """The model's plural name as a page title."""
    return capfirst(str(model._meta.verbose_name_plural))
