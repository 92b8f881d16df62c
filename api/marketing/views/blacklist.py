"""/blacklist: numbers that must not be written to."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer
from api.marketing.inputs.contacts import BlacklistInput, PhoneInput
from api.marketing.outputs.answers import Nothing
from api.marketing.outputs.contacts import BlacklistChecked, BlacklistRow
from api.marketing.pagination import PageQuery, page_of
from contacts.models import Suppression
from contacts.services.suppressions import blacklist_add, blacklist_check, blacklist_remove
from webhooks_app.formats.neutral import phone_of

BlacklistList = data_of("Blacklist", list[BlacklistRow], meta=True)
BlacklistSaved = data_of("BlacklistSaved", BlacklistRow, message=True)


class BlacklistView(Endpoint):
    scopes = {"GET": "view_blacklist", "POST": "manage_blacklist"}

    @operation(
        id="listBlacklist",
        tag="Blacklist",
        summary="List blacklisted numbers",
        description="The newest first. People who opted out by themselves are not in this list.",
        query=PageQuery,
        answer=BlacklistList,
        done="A page of numbers.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        rows = Suppression.objects.filter(reason=Suppression.Reason.BLACKLIST).order_by("-id")
        page, meta = page_of(rows, call.query(PageQuery))
        return answer([_row(entry) for entry in page], meta=meta)

    @operation(
        id="addToBlacklist",
        tag="Blacklist",
        summary="Blacklist a number",
        description="Nothing is sent to it any more, also not what waits already. Triggers `blacklist.added`.",
        body=BlacklistInput,
        answer=BlacklistSaved,
        done="Blacklisted.",
        status=201,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(BlacklistInput)
        country = call.credential.organization.default_country
        entry = blacklist_add(phone=given.phone_number, country=country, note=given.reason)
        return answer(_row(entry), message=_("Number added to the blacklist"), status=201)


class BlacklistEntryView(Endpoint):
    scope = "manage_blacklist"

    @operation(
        id="removeFromBlacklist",
        tag="Blacklist",
        summary="Take a number off the blacklist",
        description="It can be written to again.",
        answer=Nothing,
        done="Removed.",
        status=204,
        errors=("blacklist_not_found",),
        path={"id": "The entry's id."},
    )
    def delete(self, call: Call, id: int) -> HttpResponse:
        blacklist_remove(suppression_id=id)
        return HttpResponse(status=204)


class BlacklistCheckView(Endpoint):
    scope = "view_blacklist"

    @operation(
        id="checkBlacklist",
        tag="Blacklist",
        summary="Check a number",
        description="Whether nothing may be sent to it: blacklisted, or opted out of everything.",
        body=PhoneInput,
        answer=BlacklistChecked,
        done="Whether it is blacklisted.",
    )
    def post(self, call: Call) -> HttpResponse:
        phone = call.body(PhoneInput).phone_number
        found = blacklist_check(phone=phone, country=call.credential.organization.default_country)
        return answer(phone_number=phone, is_blacklisted=found)


def _row(entry: Suppression) -> BlacklistRow:
    return BlacklistRow(entry.pk, phone_of(entry.address), entry.note or None, entry.created_at)
