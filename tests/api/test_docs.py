"""The documentation pages: open to everybody on every host, complete, and needing nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from api.transactional.errors import PROBLEMS
from config.openapi import SURFACES, surface_schema
from tenants.services.keys import SCOPES

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("host", ["localhost", "demo.localhost"])
def test_pages_open_on_every_host_without_a_login(organization, client, host):
    for path in ("/docs/", *(f"/docs/{name}/" for name in SURFACES)):
        response = client.get(path, headers={"Host": host})
        assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_the_list_links_every_surface(organization, client):
    page = client.get("/docs/").content.decode()
    for name, surface in SURFACES.items():
        assert f'href="/docs/{name}/"' in page
        assert f'href="/docs/{name}/openapi.json"' in page
        assert surface.title in page


def test_the_transactional_page_has_every_operation_scope_and_error(organization, client):
    page = client.get("/docs/transactional/").content.decode()
    for methods in surface_schema("transactional")["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
            assert operation["summary"] in page
    for code in PROBLEMS:
        assert f'id="{code}"' in page
    for scope in SCOPES["transactional"]:
        assert f"<code>{scope}</code>" in page
    for name in ("providerId", "scheduleAt", "recipients", "attemptsLeft", "dailyStats", "Idempotency-Key"):
        assert f"<code>{name}</code>" in page


def test_links_within_the_page_lead_somewhere_and_nothing_is_loaded_from_elsewhere(organization, client):
    page = client.get("/docs/transactional/").content.decode()
    targets = set(re.findall(r'id="([^"]+)"', page))
    assert {link for link in re.findall(r'href="#([^"]+)"', page) if link not in targets} == set()
    assert "<script" not in page
    assert "`" not in page
    assert "with <code>Idempotent-Replayed: true</code>" in page
    assert re.findall(r'(?:src|@import|url\()[=( "\']*(https?:[^"\')]+)', page) == []


def test_the_document_is_served_as_json(organization, client):
    response = client.get("/docs/transactional/openapi.json")
    assert response["Content-Type"] == "application/json"
    served = response.json()
    assert (served["openapi"], set(served["paths"])) == ("3.0.3", set(surface_schema("transactional")["paths"]))


@pytest.mark.parametrize("path", ["/docs/nothing/", "/docs/nothing/openapi.json"])
def test_an_unknown_surface_is_404(organization, client, path):
    assert client.get(path).status_code == 404


def test_forms_are_shown_with_their_fields_and_a_line_that_sends_a_file(organization, client):
    page = client.get("/docs/gateway/").content.decode()
    assert "Or as a form" in page and "<code>file</code>" in page
    assert "-F file=@photo.jpg" in page and "-F type=image" in page
