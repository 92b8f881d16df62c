"""What the design fixes about the code itself: who imports whom, what is never used, what is declared."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("tenants", "messaging", "contacts", "campaigns", "webhooks_app", "audit", "otp", "billing")
PACKAGES = ("config", *APPS, "api", "sandbox", "bench")


def sources(*packages: str) -> list[Path]:
    return [
        path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything that `path` imports, also inside functions, but not for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(paths: list[Path], forbidden: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in imports(path)
        if forbidden.match(name) and not str(path.relative_to(ROOT)).startswith("config/urls")
    ]


def test_drivers_know_neither_the_orm_nor_tenants_nor_celery():
    paths = [
        path
        for path in sources("messaging")
        if "drivers" in path.relative_to(ROOT).parts and path.name != "registry.py"
    ]
    assert len(paths) > 10
    forbidden = re.compile(
        r"(django|tenants|celery|kombu|redis|psycopg|contacts|campaigns|webhooks_app|audit|otp|api|config"
        r"|messaging\.(?!drivers|sms_text))\b"
    )
    assert offenders(paths, forbidden) == []


def test_services_and_models_do_not_import_the_layers_above_them():
    below = [path for path in sources(*APPS) if "services" in str(path) or "models" in str(path)]
    assert len(below) > 20
    assert (
        offenders(
            below, re.compile(r"(api|rest_framework|drf_spectacular|unfold|django\.contrib\.admin|django\.http)\b")
        )
        == []
    )


def test_nothing_but_the_addresses_imports_an_api_surface():
    paths = sources(*APPS, "sandbox")
    assert offenders(paths, re.compile(r"api\b")) == []


def test_the_sandbox_stands_alone():
    assert offenders(sources("sandbox"), re.compile(rf"(django|rest_framework|config|{'|'.join(APPS)}|api)\b")) == []


def test_no_task_waits_in_the_broker():
    pattern = re.compile(r"\b(eta|countdown)\s*=")
    found = [str(path) for path in sources(*PACKAGES) if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_kind_of_a_channel_is_compared_nowhere_outside_the_drivers():
    pattern = re.compile(r"kind\s*(==|!=|in)\s*[\"'(]\s*[\"']?whatsapp")
    paths = [path for path in sources("config", *APPS, "api") if "drivers" not in path.relative_to(ROOT).parts]
    assert [str(path) for path in paths if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_files_are_named_after_what_is_in_them():
    vague = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [str(path) for path in sources(*PACKAGES) if path.name in vague] == []


def test_every_library_that_production_code_imports_is_pinned():
    pinned = {
        re.split(r"[\[=]", line)[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    distributions = packages_distributions()
    stack = ROOT / "config" / "stack"
    missing = set()
    for path in sources("config", *APPS, "api", "sandbox"):
        if stack in path.parents or path.name == "testing.py":
            continue
        for name in {name.split(".")[0] for name in imports(path)} & set(distributions):
            if not {item.lower().replace("_", "-") for item in distributions[name]} & pinned:
                missing.add(name)
    assert missing == set()


def test_every_declared_queue_has_a_worker_in_the_procfile():
    from config.queues import TASK_QUEUES

    procfile = (ROOT / "Procfile").read_text(encoding="utf-8")
    consumed = {name for group in re.findall(r"-Q (\S+)", procfile) for name in group.split(",")}
    assert {queue.name for queue in TASK_QUEUES} == consumed


def test_every_periodic_task_exists_and_goes_to_a_declared_queue():
    from celery import current_app

    from config.queues import TASK_QUEUES
    from tenants.beat import SCHEDULES

    current_app.loader.import_default_modules()
    queues = {queue.name for queue in TASK_QUEUES}
    for task, queue, _ in SCHEDULES.values():
        assert task in current_app.tasks
        assert queue in queues


@pytest.mark.parametrize(
    "document", ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
)
def test_links_in_the_documents_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)]
    assert [target for target in targets if target and not ((ROOT / document).parent / target).exists()] == []
