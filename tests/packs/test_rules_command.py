"""`triage rules check`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from triage.adapters import packs
from triage.commands.rules import rules


def copy(tmp_path: Path) -> Path:
    """The shipped regulations without their examples."""
    source = packs.shipped_rules() / "navixy"
    shutil.copytree(source, tmp_path / "acme", ignore=shutil.ignore_patterns("examples"))
    return tmp_path / "acme"


def test_a_good_pack_is_ok_with_its_counts(tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["check", str(copy(tmp_path))])
    assert result.exit_code == 0
    assert result.output.startswith("ok: navixy 1.0, in force from 2024-01-01, ")
    assert "15 services" in result.output


def test_every_fault_is_a_line_and_the_work_failed(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    for name, old, new in (("targets.toml", "hours = 2", "hours = -2"), ("calendars.toml", '"UTC"', '"Mars"')):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    result = CliRunner().invoke(rules, ["check", str(folder)])
    assert result.exit_code == 1
    *lines, number = result.stderr.strip().split("\n")
    assert [line.split(":")[0] for line in lines] == ["acme/calendars.toml", "acme/targets.toml"]
    assert number == "2 faults" and result.stdout == ""


def test_a_faulty_manifest_hides_no_other_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy(tmp_path)
    for name, old, new in (("targets.toml", "hours = 2", "hours = -2"), ("pack.toml", "in_force = 2024-01-01", "")):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(rules, ["check", "."])
    *lines, _ = result.stderr.strip().split("\n")
    assert [line.split(":")[0] for line in lines] == ["acme/pack.toml", "acme/targets.toml"]


def test_an_example_that_is_decided_otherwise_fails_the_check(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "examples").mkdir()
    (folder / "examples" / "one.eml").write_bytes(
        b"From: a@partner.example\nSubject: Report\n\nHello, how can I schedule the trip report?\n"
    )
    (folder / "examples" / "one.toml").write_text('[expect]\nkind = "thanks"\n', encoding="utf-8")
    result = CliRunner().invoke(rules, ["check", str(folder)])
    assert result.exit_code == 1
    assert "acme/examples/one.toml: kind: expected 'thanks', found 'request'" in result.stderr


def test_a_folder_that_is_no_pack_is_one_readable_line() -> None:
    result = CliRunner().invoke(rules, ["check", "navixi"])
    assert result.exit_code == 1
    assert "did you mean 'navixy'?" in result.stderr
