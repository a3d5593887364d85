"""docs/operations.md and deploy/ keep up with the program."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.cli import COMMANDS
from triage.daemon import GRACE_SECONDS

ROOT = Path(__file__).parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NAME = re.compile(r"[a-z]+\.[a-z_]+")
TELLS = {"emit", "trouble", "mended", "surprise", "event", "about", "ticket", "clock"}


def modules() -> list[Path]:
    """Everything that tells events."""
    beside = [ROOT / "triage" / f"{name}.py" for name in ("daemon", "runner", "reload", "duty", "events")]
    return [*beside, *sorted((ROOT / "triage" / "steps").glob("*.py"))]


def emitted() -> set[str]:
    """Whatever looks like an event's name in them."""
    return {
        node.value
        for module in modules()
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value)
    }


def put_together() -> Iterator[str]:
    """Names of events that are made from parts, so that nobody could look them up."""
    for module in (ROOT / "triage").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TELLS:
                yield from (f"{module.name}:{node.lineno}" for one in node.args if isinstance(one, ast.JoinedStr))


def explained() -> set[str]:
    section = OPERATIONS.partition("## What each event")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_.]+)`", section, re.MULTILINE))


def test_every_event_is_explained() -> None:
    assert emitted() - explained() == set()


def test_no_event_is_explained_that_does_not_happen() -> None:
    assert explained() - emitted() == {"log"}  # words of libraries


def test_the_names_of_events_are_never_put_together() -> None:
    assert list(put_together()) == []


def test_only_commands_that_there_are_stand_in_the_documents() -> None:
    for file in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"):
        named = set(re.findall(r"(?:`|^ *|bin/)triage ([a-z]+)\b", file.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= set(COMMANDS), file.name


@pytest.mark.parametrize(
    "section",
    [
        "Installing", "systemd unit", "Docker", "Log and rotation", "Backup and restore", "Upgrade",
        "Many machines on PostgreSQL", "When something is wrong",
    ],
)  # fmt: skip
def test_an_operator_finds(section: str) -> None:
    assert f"\n## {section}\n" in OPERATIONS


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z -]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^## (.+)$", OPERATIONS, re.M)
    }
    assert set(re.findall(r"\]\(#([a-z-]+)\)", OPERATIONS)) <= headings


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(ROOT / "deploy" / "triage.service")
    return parser


def test_systemd_waits_longer_than_the_daemon_needs_to_end(unit: configparser.ConfigParser) -> None:
    assert int(unit["Service"]["TimeoutStopSec"]) > GRACE_SECONDS


def test_systemd_starts_commands_that_there_are(unit: configparser.ConfigParser) -> None:
    for key in ("ExecStart", "ExecStartPre"):
        assert unit["Service"][key].split()[1] in COMMANDS
    assert unit["Service"]["RestartPreventExitStatus"] == "2"


def test_the_file_that_is_rotated_is_the_one_of_the_guide() -> None:
    rotated = re.search(r"^(/\S+) \{", (ROOT / "deploy" / "logrotate").read_text(), re.MULTILINE)
    assert rotated and f'file = "{rotated[1]}"' in OPERATIONS
