"""Each bad configuration fails in the program itself, with its own message.

A file begins with the command, its exit status, and what is said. What it names beside it lies in `files/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.toml"))


def told(case: Path) -> tuple[list[str], int, str]:
    command, status, says, *_ = case.read_text().splitlines()
    return command.removeprefix("# triage ").split(), int(status.split()[3]), says.removeprefix("# ")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_bad_configuration_fails_with_its_own_message(tmp_path: Path, case: Path) -> None:
    command, status, says = told(case)
    shutil.copytree(HERE / "files", tmp_path, dirs_exist_ok=True)
    shutil.copy(case, tmp_path / "config.toml")
    done = subprocess.run(
        [sys.executable, "-m", "triage", *command],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert says in done.stdout + done.stderr and done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "correct horse" not in done.stdout + done.stderr
    if status == 2:
        assert done.stdout == "" and all(line.startswith("triage: ") for line in done.stderr.splitlines())


def test_every_message_is_another() -> None:
    messages = [told(case)[2] for case in CASES]
    assert len(messages) > 30
    assert {message for message in messages if messages.count(message) > 1} <= {"pack.toml: "}
