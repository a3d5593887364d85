"""The program as it is installed: from its wheel, outside the checkout, with its rules and migrations inside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHOWN = (
    "decided   open (complete)",
    "awaiting_partner (incomplete)",
    "several-questions",
    "not-a-partner",
    "unsubscribed",
    "machine:bounce",
    "quarantined",
    "thanks",
    "The tickets and their clocks",
)
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package from a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    left_out = shutil.ignore_patterns(".git", ".venv", "var", "build", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(CHECKOUT, source, ignore=left_out)
    built = folder / "built"
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(built), str(source)], check=True)
    wheel = next(built.glob("triage-*.whl"))
    target = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


def run(installed: Path, *arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    environment.pop("TRIAGE_CONFIG", None)
    command = [sys.executable, "-m", "triage", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, input=stdin, text=True, capture_output=True, timeout=300)


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    code = "import triage; print(triage.__file__)"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert found.stdout.startswith(str(installed))


def test_due_times_are_reckoned_by_the_shipped_rules(installed: Path, tmp_path: Path) -> None:
    asked = '{"deployment": "paas", "severity": 1, "at": "2026-01-05T12:00:00Z"}\n'
    found = run(installed, "due", cwd=tmp_path, stdin=asked)
    assert (found.returncode, found.stderr) == (0, "")
    assert '"due": "2026-01-06T06:00:00+00:00"' in found.stdout


def test_the_demo_shows_the_main_job(installed: Path, tmp_path: Path) -> None:
    found = run(installed, "demo", "--folder", str(tmp_path / "demo"), cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    for said in SHOWN:
        assert said in found.stdout
    assert (tmp_path / "demo" / "triage.log").read_text().count('"event": "mail.sent"') >= 14
