"""`triage ticket`, `show` and `tickets` on a store with tickets in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.steps.desk import MONDAY, Story, reading
from triage import cli
from triage.adapters.db import engine, migrate
from triage.adapters.db.store import Store

Run = Callable[..., tuple[int, str, str]]

CONFIG = """
database.url = "sqlite:///triage.db"
log.file = "triage.log"
partners.file = "partners.csv"
[smtp]
from_address = "support@vendor.example"
"""
PARTNERS = """partner,deployment,subscription_until,address,role,language,timezone,status
Acme,paas,,ana@acme.example,partner,en,,
Bolt,paas,,@bolt.example,partner,en,,
"""


@pytest.fixture
def story(tmp_path: Path) -> Story:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "partners.csv").write_text(PARTNERS)
    made = engine.connect(f"sqlite:///{tmp_path}/triage.db")
    migrate.upgrade(made)
    return Story(Store(made))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        status = cli.run(["--config", str(tmp_path / "config.toml"), *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_correction_is_made_told_and_logged(story: Story, run: Run, tmp_path: Path) -> None:
    story.request()
    status, out, _ = run("ticket", "#1001", "--severity", "1")
    assert (status, out) == (0, "Ticket #1001: severity 1; an answer is due 2026-01-05 08:00 UTC.\n")
    assert story.promises()[0].due.hour == 12
    events = [json.loads(line) for line in (tmp_path / "triage.log").read_text().splitlines()]
    assert [(one["event"], one["ticket"]) for one in events] == [("ticket.updated", "1001"), ("clock.started", "1001")]
    assert "command line" in events[0]["by"]


def test_several_corrections_at_once(story: Story, run: Run) -> None:
    story.request(said=reading(has=("account",)))
    status, out, _ = run("ticket", "1001", "--accept", "--deployment", "cloud", "--split")
    assert status == 0
    assert len(out.splitlines()) == 3
    assert (story.ticket(1)["state"], story.ticket(2)["deployment"]) == ("open", "cloud")


def test_a_ticket_can_be_given_to_another_partner(story: Story, run: Run) -> None:
    story.request()
    status, out, _ = run("ticket", "1001", "--partner", "bolt")
    assert (status, story.ticket()["partner"]) == (0, "Bolt")
    assert "Ticket #1001 is Bolt's" in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("1001",), 2, "nothing to do: name a correction"),
        (("1001", "--severity", "9"), 2, "--severity: no such severity; known are 1, 2, 3"),
        (("9999", "--close"), 1, "there is no ticket 9999"),
        (("x", "--close"), 1, "there is no ticket x"),
        (("1001", "--reopen"), 1, "an open ticket cannot be reopened; it can be accepted or closed"),
        (("1001", "--partner", "Nobody"), 1, "'Nobody' is not in the partner file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    story: Story, run: Run, words: tuple[str, ...], status: int, said: str
) -> None:
    story.request()
    before = story.ticket()
    got, out, err = run("ticket", *words)
    assert (got, out) == (status, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert story.ticket() == before


def test_of_several_corrections_all_are_made_or_none(story: Story, run: Run) -> None:
    story.request()
    status, _, err = run("ticket", "1001", "--severity", "1", "--reopen")
    assert status == 1
    assert "cannot be reopened" in err
    assert story.ticket()["severity"] == "3"


def test_tickets_are_listed_by_state_and_due(story: Story, run: Run) -> None:
    story.request()
    story.request(said=reading(has=("account",)), subject="Waits")
    assert run("tickets", "--state", "awaiting_partner")[1].count("#") == 1
    assert "#1001" in run("tickets", "--due", "overdue")[1]
    assert "#1002" not in run("tickets", "--due", "overdue")[1]
    rows = [json.loads(line) for line in run("tickets", "--json")[1].splitlines()]
    assert [row["number"] for row in rows] == ["1001", "1002"]
    assert run("tickets", "--partner", "Nobody")[1] == "no tickets\n"


def test_a_story_is_told_in_the_order_of_time(story: Story, run: Run) -> None:
    mail = story.request(said=reading(has=("account",)))
    story.now = MONDAY.replace(hour=7)
    story.request(answers=[mail.message_id])
    story.now = MONDAY.replace(hour=8)
    story.answer(mail.message_id)
    status, out, _ = run("show", "1001")
    assert status == 0
    parts = [
        "Ticket #1001  Empty report",
        "Monday 5 January 2026",
        "06:00:00  mail      from ana@acme.example: Empty report",
        "missing   description, element, evidence, actions, asset",
        "clause    info_description: required.description",
        "waits for the partner (incomplete): asked for",
        "reply     incomplete, to ana@acme.example",
        "07:00:00  mail      from ana@acme.example",
        "decided   open: complete",
        "clock     runs: 6 working hours from 07:00, due 13:00, guaranteed",
        "promise   to ana@acme.example: an answer guaranteed by 13:00 - kept 08:00",
        "08:00:00  mail      from ivo@vendor.example",
        "ANSWER    by ivo@vendor.example: closed preliminarily",
        "stopped, 5 h 0 min before it was due",
    ]
    places = [out.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_a_story_says_what_is_left_and_what_went_wrong(story: Story, run: Run) -> None:
    mail = story.request()
    story.command("#severity 1", mail.message_id)
    story.sweep(MONDAY.replace(hour=12))
    out = run("show", "1001")[1]
    for part in (
        "OVERDUE",
        "by staff  severity",
        "is open (corrected) by ivo@vendor.example, severity 1",
        "due 08:00, guaranteed; promised was 12:00",
        "BREACH    nobody answered by 12:00",
        "an answer guaranteed by 12:00 - runs, breached 12:00",
    ):
        assert part in out, part


def test_there_is_no_such_ticket(story: Story, run: Run) -> None:
    assert run("show", "42")[0] == 1
    assert "there is no ticket 42" in run("show", "42")[2]


def test_an_address_is_given_to_a_partner_and_its_refused_mail_is_marked(story: Story, run: Run) -> None:
    story.now = datetime.now(UTC)
    story.request("tom@freemail.example")
    status, out, _ = run("partners", "adopt", "Tom@Freemail.example", "acme")
    assert (status, out.split(".")[0]) == (0, "tom@freemail")
    assert "belongs to Acme from now on. The mail that was refused is handled now" in out
    with story.store.look() as tx:
        assert list(tx.meta.under("recall:").values()) == ["inbox"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [(("tom", "Acme"), 2, "is no address"), (("tom@x.example", "Nobody"), 1, "'Nobody' is not in the partner file")],
)
def test_an_address_is_given_to_a_partner_who_exists(
    story: Story, run: Run, words: tuple[str, ...], status: int, said: str
) -> None:
    assert run("partners", "adopt", *words)[0] == status
    assert said in run("partners", "adopt", *words)[2]
