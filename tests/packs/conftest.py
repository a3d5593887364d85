from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.adapters import packs
from triage.core.errors import Fault, PackError
from triage.core.pack import Pack


@pytest.fixture(scope="session")
def navixy() -> Pack:
    return packs.load(packs.shipped_rules() / "navixy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped regulations without words and replies, to be spoiled."""
    copy = tmp_path / "acme"
    copy.mkdir()
    for path in (packs.shipped_rules() / "navixy").glob("*.toml"):
        shutil.copy(path, copy)
    return copy


@pytest.fixture
def spoil(folder: Path) -> Callable[[str, str, str], list[Fault]]:
    """Replace a text in a chapter (or append, when it is empty) and give the faults of the pack."""

    def change(file: str, old: str, new: str) -> list[Fault]:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
        return faults_of(folder)

    return change


def faults_of(folder: Path) -> list[Fault]:
    try:
        packs.load(folder)
    except PackError as error:
        return list(error.faults)
    return []
