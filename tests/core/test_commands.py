"""Commands of staff are read from the first lines of a mail, and told what is wrong with them."""

from __future__ import annotations

from functools import cache

import pytest

from triage.adapters import packs
from triage.core import commands
from triage.core.commands import Command
from triage.core.pack import Pack


@cache
def pack() -> Pack:
    return packs.load(packs.shipped_rules() / "navixy")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#severity 1", [Command("severity", "1")]),
        ("#Severity: 2\n#ACCEPT", [Command("severity", "2"), Command("accept")]),
        ("#severity=3", [Command("severity", "3")]),
        ("#deployment On-Premise", [Command("deployment", "on_premise")]),
        ("#deployment cloud\n\n#close\n\nThanks!\n#reopen", [Command("deployment", "cloud"), Command("close")]),
        ("\n\n  #partner Acme GPS S.A.  \n", [Command("partner", "Acme GPS S.A.")]),
        ("#severity\N{NO-BREAK SPACE}1", [Command("severity", "1")]),
        ("# severity 1", [Command("severity", "1")]),
        ("#severity1", [Command("severity", "1")]),
        ("#severity level 1", [Command("severity", "1")]),
        ("#severity: 1.", [Command("severity", "1")]),
        ('#deployment "cloud"', [Command("deployment", "cloud")]),
        ("*#close*", [Command("close")]),
        ("\u200b#\u200baccept", [Command("accept")]),
        ("＃severity　２", [Command("severity", "2")]),
        ("# Agenda of Monday", []),
        ("#split\r\n#reopen", [Command("split"), Command("reopen")]),
        ("Hello,\n#close", []),
        ("#1001 is done", []),
        ("", []),
    ],
)
def test_the_first_lines_are_commands_until_one_is_not(text: str, expected: list[Command]) -> None:
    assert list(commands.read(text, pack())) == expected


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("#severity", "needs a value, as in #severity 1"),
        ("#severity 1 or 2", "no such severity"),
        ("#severity 9", "no such severity; known are 1, 2, 3"),
        ("#deployment moon", "no such deployment; known are paas, on_premise, cloud"),
        ("#partner", "needs a value"),
        ("#close now", "takes no value"),
        ("#acept", "did you mean #accept?"),
        ("#frobnicate", "known are #severity, #deployment"),
    ],
)
def test_a_faulty_command_says_what_is_wrong(line: str, fault: str) -> None:
    (found,) = commands.read(line, pack())
    assert fault in found.fault


def test_what_stands_below_the_commands_is_the_mail() -> None:
    assert commands.rest("#severity 2\n\nHello Ana,\nlook here.") == "Hello Ana,\nlook here."
    assert commands.rest("#close\n\n") == ""
    assert commands.rest("Hello") == "Hello"


def test_a_mail_full_of_commands_is_read_as_far_as_the_first_lines() -> None:
    assert len(commands.read("#accept\n" * 10_000, pack())) == 20


def test_a_hostile_line_is_read_in_time() -> None:
    assert len(commands.read("#severity" + " " * 1_000_000 + "1", pack())) == 1
    assert commands.read("#" + "a" * 1_000_000, pack()) == ()
