from __future__ import annotations

import pytest
from django_tenants.utils import tenant_context

from audit.models import AuditEntry
from messaging.models import OperatorPrefix
from messaging.services.operators import operator_of


def test_a_changed_prefix_counts_at_once_and_is_in_the_audit_log(organization, login, make_member):
    browser = login(make_member(organization, "manager").user, organization)
    page = "/admin/messaging/operatorprefix/"

    answer = browser.post(f"{page}add/", {"prefix": "24104", "operator": "mine", "note": ""})

    assert answer.status_code == 302
    with tenant_context(organization):
        assert operator_of("24104123456") == "mine"
        entry = AuditEntry.objects.get(action="operatorprefix.created")
        assert entry.new_values == {"prefix": "24104", "operator": "mine"}
    assert "airtel" in browser.get(page).content.decode()


@pytest.mark.parametrize(
    ("field", "value"), [("prefix", "+24104"), ("prefix", "abc"), ("operator", "Air Tel"), ("operator", "")]
)
def test_a_prefix_that_nobody_could_match_is_refused(organization, login, make_member, field, value):
    browser = login(make_member(organization, "manager").user, organization)
    given = {"prefix": "24104", "operator": "mine", field: value}

    answer = browser.post("/admin/messaging/operatorprefix/add/", given)

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    with tenant_context(organization):
        assert not OperatorPrefix.objects.exists()
