"""The packs that come with the program say what the regulations say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from triage.adapters import packs
from triage.core.pack import Pack

SHIPPED = sorted(path.parent for path in packs.shipped_rules().glob("*/pack.toml"))

# What the regulations say, clause by clause.
CLAUSES = [
    "partners_only",
    "paas_free",
    "subscription",
    "consultative",
    "third_party",
    "servers_and_networks",
    "gps_hardware",
    "documentation",
    "server_responsibility",
    "system_requirements",
    "by_email",
    "languages",
    "qualified_service",
    "paas_reply",
    "paas_vary",
    "onpremise_hours",
    "last_mail",
    "information",
    "info_description",
    "info_identifiers",
    "info_element",
    "info_actions",
    "info_evidence",
    "info_requested",
    "server_administration",
    "no_server_maintenance",
    "one_question",
    "handled",
    "courtesy",
    "correct_address",
    "end_users",
    "qualified_technician",
    "supplied_software",
    "table",
    "table_features",
    "table_api",
    "table_device_activation",
    "table_device_reporting",
    "table_bulk_registration",
    "table_custom_logo",
    "table_sms_gateway",
    "table_map_layers",
    "table_web_apps",
    "table_gis_keys",
    "table_ssl",
    "table_configuration",
    "table_updates",
    "table_productivity",
    "table_server",
    "new_features",
    "level_1",
    "level_2",
    "level_3",
    "third_party_cause",
    "received_in_hours",
    "otherwise_varies",
    "resolving_time",
    "bug_fixes",
    "may_change",
    "binding_when_posted",
]

TABLE = {
    "features": ("provided", "provided"),
    "api": ("provided", "provided"),
    "device_activation": ("provided", "provided"),
    "device_reporting": ("provided", "provided"),
    "bulk_registration": ("provided", "provided"),
    "custom_logo": ("provided", "performed_by_partner"),
    "sms_gateway": ("provided", "performed_by_partner"),
    "map_layers": ("provided", "performed_by_partner"),
    "web_apps": ("provided", "performed_by_partner"),
    "gis_keys": ("provided", "performed_by_partner"),
    "ssl": ("provided", "performed_by_partner"),
    "software_configuration": ("performed_by_navixy", "performed_by_partner"),
    "software_update": ("always_newest", "performed_by_partner"),
    "productivity": ("provided", "log_based_analysis"),
    "server_administration": ("not_needed", "not_provided"),
}

HOURS = {"1": (2, 3), "2": (4, 6), "3": (6, 8)}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_pack_has_no_fault(folder: Path) -> None:
    assert packs.load(folder).manifest.vendor


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_of_the_regulations_is_in_the_pack_and_carried(clause: str, navixy: Pack) -> None:
    assert navixy.clause_by_id[clause].carriers
    assert not navixy.clause_by_id[clause].assumption


def test_whatever_is_no_clause_of_the_regulations_is_marked_as_an_assumption(navixy: Pack) -> None:
    others = [clause for clause in navixy.clauses if clause.id not in {*CLAUSES, "table_partner"}]
    assert others
    assert all(clause.assumption for clause in others)


def test_the_service_table_is_whole_and_in_order(navixy: Pack) -> None:
    assert [service.id for service in navixy.services] == list(TABLE)
    for service, (paas, own) in TABLE.items():
        cells = [navixy.cell(service, plan) for plan in ("paas", "on_premise", "cloud")]
        assert [cell and cell.id for cell in cells] == [paas, own, own]


@pytest.mark.parametrize("cell", ["performed_by_partner", "not_needed", "not_provided"])
def test_what_support_does_not_do_is_said_and_not_promised(cell: str, navixy: Pack) -> None:
    entry = navixy.cell_by_id[cell]
    assert entry.says.keys() == {"en", "es"}
    assert (entry.guaranteed, entry.action) == (False, "accept")


@pytest.mark.parametrize("severity", HOURS)
def test_an_incident_has_the_hours_of_the_severity_table(severity: str, navixy: Pack) -> None:
    targets = [navixy.target(plan, "incident", "features", severity) for plan in ("paas", "on_premise", "cloud")]
    assert [target and target.hours for target in targets] == [
        HOURS[severity][0],
        HOURS[severity][1],
        HOURS[severity][1],
    ]
    assert all(target and target.guaranteed for target in targets)


@pytest.mark.parametrize("kind", ["question", "change", "other"])
def test_all_else_has_eight_hours_promised_on_paas_only(kind: str, navixy: Pack) -> None:
    targets = [navixy.target(plan, kind, "none", None) for plan in ("paas", "on_premise", "cloud")]
    assert [(target.hours, target.guaranteed) for target in targets if target] == [(8, True), (8, False), (8, False)]


def test_support_by_subscription_is_that_of_own_installations(navixy: Pack) -> None:
    assert [(plan.id, plan.subscription) for plan in navixy.deployments] == [
        ("paas", False),
        ("on_premise", True),
        ("cloud", True),
    ]


def test_everybody_has_weekdays_from_five_to_one_utc(navixy: Pack) -> None:
    for calendar in navixy.calendars:
        assert calendar.zone == "UTC"
        assert calendar.windows == {day: ["05:00-13:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
        assert not calendar.holidays


def test_the_scopes_refer_to_somebody_and_stay_with_a_person(navixy: Pack) -> None:
    assert [(scope.id, scope.service) for scope in navixy.scopes] == [
        ("third_party", "none"),
        ("gps_hardware", "none"),
        ("server", "server_administration"),
    ]
    assert all((scope.action, scope.guaranteed) == ("accept", False) for scope in navixy.scopes)


def test_the_footnote_on_updates_is_said_to_own_installations_only(navixy: Pack) -> None:
    assert navixy.service_by_id["software_update"].notes.keys() == {"self_hosted"}


def test_another_vendor_needs_no_python() -> None:
    pack = packs.load(packs.shipped_rules() / "example")
    assert [severity.id for severity in pack.severities] == ["P1", "P2", "P3", "P4"]
    assert [plan.id for plan in pack.deployments] == ["start", "grow", "max"]
    assert pack.manifest.languages == ["en", "es", "pt"]
    urgent = pack.target("max", "incident", "lockers", "P1")
    assert urgent and (urgent.hours, urgent.calendar) == (1, "always")
    needs = pack.requirement("max", "incident", "orders", "P3")
    assert needs and needs.fields == ["description", "order"]


def test_the_older_version_beside_a_pack_holds_before_it() -> None:
    folder = packs.shipped_rules() / "example"
    assert packs.in_force(folder, date(2025, 12, 31)).manifest.version == "2025.2"
    assert packs.in_force(folder, date(2026, 1, 1)).manifest.version == "2026.1"
