"""Every module has its tests where a stranger looks for them: `tests/<app>/test_<module>.py`, or where this table says."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("core", "audit", "access", "servers", "tools", "alerts", "gateway", "controlplane")
# Wiring: it holds no decision of its own, and whatever uses it fails without it.
WIRING = {"apps.py", "urls.py", "oauth_urls.py", "asgi.py", "settings.py", "permissions.py", "errors.py"}
# Modules whose behaviour only shows through another door, and the tests that open it.
ELSEWHERE = {
    "controlplane/enum_names.py": "tests/controlplane/test_openapi.py",
    "controlplane/live/hub.py": "tests/controlplane/live/test_streams.py",
    "controlplane/live/reading.py": "tests/controlplane/live/test_streams.py",
    "controlplane/templatetags/charts.py": "tests/console/test_health.py",
    "core/spreadsheet.py": "tests/audit/test_formats.py",
    "tools/views/identity.py": "tests/console/test_health.py",
    "tools/views/health.py": "tests/console/test_health.py",
    "access/completing.py": "tests/gateway/test_completing.py",
    "access/counted.py": "tests/access/test_services_digests.py",
    "access/forms.py": "tests/console/test_forms.py",
    "access/keys.py": "tests/access/test_token_format.py",
    "access/middleware.py": "tests/access/test_sign_in.py",
    "access/models/agents.py": "tests/access/test_services.py",
    "access/models/clients.py": "tests/access/test_services_clients.py",
    "access/models/digests.py": "tests/access/test_services_digests.py",
    "access/models/people.py": "tests/access/test_services.py",
    "access/models/resources.py": "tests/access/test_services.py",
    "access/models/roles.py": "tests/access/test_services.py",
    "access/models/sessions.py": "tests/access/test_account.py",
    "access/models/suspensions.py": "tests/access/test_services_suspensions.py",
    "access/models/uses.py": "tests/tools/test_services_using.py",
    "access/principals.py": "tests/access/test_policy.py",
    "access/querysets.py": "tests/access/test_api.py",
    "access/rules.py": "tests/access/test_policy.py",
    "access/second_factor_adapter.py": "tests/access/test_account.py",
    "access/sessions.py": "tests/access/test_account_sessions.py",
    "access/tasks.py": "tests/controlplane/test_celery.py",
    "access/tokens.py": "tests/access/test_oauth.py",
    "access/views.py": "tests/console/test_pages.py",
    "alerts/forms.py": "tests/console/test_forms.py",
    "alerts/models.py": "tests/alerts/test_services_handling.py",
    "alerts/querysets.py": "tests/alerts/test_api.py",
    "alerts/views.py": "tests/console/test_pages.py",
    "audit/forms.py": "tests/console/test_forms.py",
    "audit/months.py": "tests/audit/test_pruning_views.py",
    "audit/sink_querysets.py": "tests/audit/test_sinks.py",
    "audit/proof_views.py": "tests/console/test_proof_pages.py",
    "audit/batch.py": "tests/audit/test_writer_behind.py",
    "audit/standing.py": "tests/console/test_verified.py",
    "audit/views.py": "tests/console/test_pages.py",
    "controlplane/context.py": "tests/console/test_pages.py",
    "controlplane/devpostgres.py": "tests/controlplane/test_devservices.py",
    "controlplane/devprocess.py": "tests/controlplane/test_devservices.py",
    "controlplane/devvalkey.py": "tests/controlplane/test_devservices.py",
    "controlplane/management/commands/demo_data.py": "tests/controlplane/test_dev_up.py",
    "controlplane/sequencing.py": "tests/controlplane/test_audit_sequencer.py",
    "controlplane/refusals.py": "tests/console/test_refusals.py",
    "controlplane/templatetags/governance.py": "tests/console/test_pages.py",
    "controlplane/templatetags/holdfast.py": "tests/console/test_pages.py",
    "controlplane/templatetags/refusals.py": "tests/console/test_refusals.py",
    "controlplane/upwelcome.py": "tests/controlplane/test_up.py",
    "controlplane/words.py": "tests/console/test_pages.py",
    "core/console.py": "tests/console/test_console.py",
    "core/language.py": "tests/console/test_language.py",
    "core/needs.py": "tests/controlplane/test_routes.py",
    "core/openapi.py": "tests/controlplane/test_openapi.py",
    "core/preferences.py": "tests/console/test_console.py",
    "gateway/dispatch.py": "tests/gateway/test_flows_eras.py",
    "gateway/exchange.py": "tests/gateway/test_pipeline.py",
    "gateway/methods.py": "tests/gateway/test_pipeline.py",
    "servers/forms.py": "tests/console/test_forms.py",
    "servers/models.py": "tests/servers/test_services.py",
    "servers/querysets.py": "tests/servers/test_services.py",
    "servers/recording.py": "tests/servers/test_services.py",
    "servers/surface.py": "tests/servers/test_observe.py",
    "servers/views.py": "tests/console/test_pages.py",
    "tools/forms.py": "tests/console/test_forms.py",
    "tools/models/definitions.py": "tests/tools/test_migrations.py",
    "tools/models/known.py": "tests/tools/test_migrations.py",
    "tools/models/pins.py": "tests/tools/test_migrations.py",
    "tools/models/reviews.py": "tests/tools/test_migrations.py",
    "tools/models/sightings.py": "tests/tools/test_migrations.py",
    "tools/scanner/act.py": "tests/tools/scanner/test_acts.py",
    "tools/scanner/document.py": "tests/tools/scanner/test_engine.py",
    "tools/scanner/findings.py": "tests/tools/scanner/test_engine.py",
    "tools/scanner/rule.py": "tests/tools/scanner/test_rules.py",
    "tools/inbox_forms.py": "tests/console/test_inbox.py",
    "tools/models/triage.py": "tests/tools/test_services_triaging.py",
    "tools/services/viewing.py": "tests/console/test_inbox.py",
    "tools/views/bulk.py": "tests/console/test_inbox.py",
    "tools/views/inbox_page.py": "tests/console/test_inbox.py",
    "tools/views/inbox_rows.py": "tests/console/test_inbox.py",
    "tools/views/triage.py": "tests/console/test_inbox.py",
    "tools/models/suppressions.py": "tests/tools/test_services_suppressing.py",
    "tools/services/comparing.py": "tests/tools/test_services_absorbing.py",
    "tools/services/groundwork.py": "tests/tools/test_services_deciding.py",
    "tools/services/judging.py": "tests/tools/test_services_applying.py",
    "tools/services/marking.py": "tests/tools/test_services_deciding.py",
    "tools/services/recording.py": "tests/tools/test_services_absorbing.py",
    "tools/services/retiring.py": "tests/tools/test_services_deciding.py",
    "tools/standing.py": "tests/console/test_standing.py",
    "tools/services/closing.py": "tests/tools/test_services_deciding.py",
    "tools/services/settling.py": "tests/tools/test_services_absorbing.py",
    "tools/views/catalogue.py": "tests/console/test_catalogue.py",
    "tools/views/definitions.py": "tests/console/test_definition_pages.py",
    "tools/views/suppressions.py": "tests/tools/test_api_suppressions.py",
    "tools/views/suspensions.py": "tests/console/test_suspensions.py",
    "tools/views/decisions.py": "tests/console/test_decisions.py",
    "tools/services/versioning.py": "tests/tools/test_services_absorbing.py",
    "tools/views/risky.py": "tests/access/test_account_fresh.py",
    "tools/views/reviews.py": "tests/console/test_pages.py",
    "tools/views/servers.py": "tests/console/test_pages.py",
}


def _modules() -> list[Path]:
    found = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
    return [
        path.relative_to(ROOT)
        for path in found
        if path.name not in WIRING | {"__init__.py"} and "migrations" not in path.parts and path.stat().st_size > 200
    ]


def _has_mirror(module: Path) -> bool:
    """`test_<module>`, `test_<package>_<module>` or `test_<package>` in the app's folder, perhaps with an addition."""
    app, *packages = module.parts[:-1]
    wanted = [module.stem, "_".join([*packages, module.stem])]
    names = [path.stem.removeprefix("test_") for path in (ROOT / "tests" / app).rglob("test_*.py")]
    return "_".join(packages[:1]) in names or any(
        name == want or name.startswith(f"{want}_") for name in names for want in wanted
    )


@pytest.mark.parametrize("module", _modules(), ids=str)
def test_a_module_has_its_tests(module: Path) -> None:
    elsewhere = ELSEWHERE.get(module.as_posix())
    assert elsewhere is not None or _has_mirror(module), f"write tests for {module}, or say in this file where they are"


@pytest.mark.parametrize(("module", "tests"), ELSEWHERE.items())
def test_the_table_names_what_exists_and_is_needed(module: str, tests: str) -> None:
    assert (ROOT / module).exists()
    assert (ROOT / tests).exists()
    assert not _has_mirror(Path(module)), "it has tests of its own by now: take it out of the table"
