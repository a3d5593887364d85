"""Where a pack is found, and which of its versions holds."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import triage
from triage.adapters import packs
from triage.core.errors import PackError


def version(folder: Path, name: str, number: str, day: str, pack: str = "acme") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "pack.toml").write_text(f'name = "{pack}"\nversion = "{number}"\nin_force = {day}\n', encoding="utf-8")
    return path


def test_the_latest_version_whose_day_has_come_holds(tmp_path: Path) -> None:
    newest = version(tmp_path, "acme", "3", "2027-01-01")
    version(tmp_path, "acme-2026", "2", "2026-01-01")
    version(tmp_path, "acme-2025", "1", "2025-01-01")
    names = {
        date(2025, 1, 1): "acme-2025",
        date(2025, 12, 31): "acme-2025",
        date(2026, 1, 1): "acme-2026",
        date(2026, 12, 31): "acme-2026",
        date(2027, 1, 1): "acme",
    }
    assert {day: packs.folder_in_force(newest, day).name for day in names} == names


def test_a_version_to_come_may_stand_beside_the_one_in_force(tmp_path: Path) -> None:
    now = version(tmp_path, "acme", "1", "2026-01-01")
    version(tmp_path, "acme-next", "2", "2027-01-01")
    assert packs.folder_in_force(now, date(2026, 6, 1)) == now
    assert packs.folder_in_force(now, date(2027, 6, 1)).name == "acme-next"


def test_another_pack_beside_is_no_version(tmp_path: Path) -> None:
    own = version(tmp_path, "acme", "1", "2026-01-01")
    version(tmp_path, "acme-shop", "9", "2026-02-01", pack="acme-shop")
    assert [one.version for one in packs.versions(own)] == ["1"]


def test_whoever_names_an_older_version_gets_it(tmp_path: Path) -> None:
    version(tmp_path, "acme", "2", "2026-01-01")
    old = version(tmp_path, "acme-2025", "1", "2025-01-01")
    assert packs.folder_in_force(old, date(2026, 6, 1)) == old


def test_before_the_first_version_nothing_holds(tmp_path: Path) -> None:
    own = version(tmp_path, "acme", "1", "2026-01-01")
    with pytest.raises(PackError, match="holds from 2026-01-01 on, and no other version holds on 2025-06-01"):
        packs.folder_in_force(own, date(2025, 6, 1))


def test_two_versions_of_one_day_are_a_fault(tmp_path: Path) -> None:
    own = version(tmp_path, "acme", "2", "2026-01-01")
    version(tmp_path, "acme-b", "1", "2026-01-01")
    with pytest.raises(PackError, match="give each version its own day"):
        packs.versions(own)


def test_a_pack_is_found_by_its_path_from_the_configuration(tmp_path: Path) -> None:
    own = version(tmp_path, "rules/acme", "1", "2026-01-01")
    assert packs.find("rules/acme", tmp_path) == own
    assert packs.find(str(own), Path("/nowhere")) == own


def test_a_shipped_pack_is_found_by_its_name(tmp_path: Path) -> None:
    assert packs.find("navixy", tmp_path) == packs.shipped_rules() / "navixy"


def test_a_folder_of_the_same_name_comes_before_a_shipped_pack(tmp_path: Path) -> None:
    own = version(tmp_path, "navixy", "1", "2026-01-01")
    assert packs.find("navixy", tmp_path) == own


def test_a_pack_that_is_nowhere_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="did you mean 'navixy'"):
        packs.find("navixi", tmp_path)


def test_an_installed_program_finds_its_rules_inside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "triage"
    package.mkdir(parents=True)
    shutil.copy(Path(str(triage.__file__)), package / "__init__.py")
    inside = version(package, "_rules/acme", "1", "2026-01-01").parent
    monkeypatch.setattr(triage, "__file__", str(package / "__init__.py"))
    assert packs.shipped_rules() == inside
