"""What a request must contain, by request type, service row and severity."""

from __future__ import annotations

import pytest

from triage.core.pack import Pack

A_FAULT_OF_A_FEATURE = ({"description", "element"}, [{"account", "asset"}, {"evidence", "actions", "asset"}])


@pytest.mark.parametrize(
    ("plan", "kind", "service", "severity", "fields", "one_of"),
    [
        ("paas", "incident", "features", "3", *A_FAULT_OF_A_FEATURE),
        ("paas", "incident", "none", "3", *A_FAULT_OF_A_FEATURE),
        ("paas", "incident", "device_reporting", "3", {"description", "asset"}, []),
        ("on_premise", "incident", "device_activation", "3", {"description", "asset"}, []),
        ("paas", "incident", "device_reporting", "2", {"description"}, [{"asset", "account", "element"}]),
        ("paas", "incident", "device_reporting", "1", {"description"}, []),
        ("cloud", "incident", "features", "1", {"description"}, []),
        ("paas", "question", "features", None, {"description"}, []),
        ("paas", "question", "api", None, {"description", "element"}, []),
        ("paas", "incident", "api", "3", {"description", "element"}, [{"evidence", "actions"}]),
        ("paas", "change", "custom_logo", None, {"description", "account", "evidence"}, []),
        ("on_premise", "change", "custom_logo", None, {"description"}, []),
        ("paas", "change", "bulk_registration", None, {"description", "account"}, [{"evidence", "asset"}]),
        ("cloud", "change", "bulk_registration", None, {"description", "account"}, [{"evidence", "asset"}]),
        ("paas", "incident", "bulk_registration", "3", {"description"}, [{"evidence", "asset"}]),
        ("paas", "incident", "ssl", "3", {"description"}, [{"account", "element", "evidence"}]),
        ("on_premise", "incident", "productivity", "3", {"description", "evidence"}, []),
        ("paas", "question", "productivity", None, {"description"}, []),
        ("on_premise", "question", "ssl", None, {"description"}, []),
        ("paas", "change", "features", None, {"description", "account"}, []),
        ("paas", "other", "none", None, {"description"}, []),
        (None, "question", "features", None, {"description"}, []),
    ],
)
def test_a_request_needs(
    navixy: Pack,
    plan: str | None,
    kind: str,
    service: str,
    severity: str | None,
    fields: set[str],
    one_of: list[set[str]],
) -> None:
    entry = navixy.requirement(plan, kind, service, severity)
    assert entry
    assert set(entry.fields) == fields
    assert [set(group) for group in entry.one_of] == one_of


@pytest.mark.parametrize("scope", ["third_party", "gps_hardware", "server"])
def test_what_is_out_of_scope_is_asked_for_no_more_than_the_matter(scope: str, navixy: Pack) -> None:
    for kind, severity in (("incident", "3"), ("question", None), ("change", None)):
        entry = navixy.requirement("paas", kind, "device_reporting", severity, scope)
        assert entry and entry.fields == ["description"] and not entry.one_of
