"""`triage rules diff`: what a new version of a pack would decide otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from triage.adapters import packs
from triage.cli import Context
from triage.commands.rules import rules
from triage.core.errors import ConfigError

OUTAGE = b"""From: Ana <ana@partner.example>
Subject: Platform down
Date: Wed, 04 Mar 2026 08:00:00 +0000

Hello, the whole platform is down for all our clients, nobody can log in.
"""
QUESTION = b"""From: Ana <ana@partner.example>
Subject: Schedule
Date: Wed, 04 Mar 2026 08:00:00 +0000

Hello, how can I schedule the trip report so that it comes every Monday?
"""


@pytest.fixture(autouse=True)
def without_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIAGE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "outage.eml").write_bytes(OUTAGE)
    (folder / "question.eml").write_bytes(QUESTION)
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return shutil.copytree(
        packs.shipped_rules() / "navixy", tmp_path / "new", ignore=shutil.ignore_patterns("examples")
    )


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def diff(*arguments: str | Path) -> Result:
    return CliRunner().invoke(rules, ["diff", *map(str, arguments)], obj=Context(None), catch_exceptions=False)


def differences(*arguments: str | Path) -> dict[str, Any]:
    """The summary, with the changed mails and those that cannot be read."""
    *mails, last = [json.loads(line) for line in diff(*arguments, "--json").stdout.splitlines()]
    return {
        **last["summary"],
        "changes": [one for one in mails if not one["error"]],
        "errors": [one for one in mails if one["error"]],
    }


def test_nothing_changes_between_a_pack_and_its_copy(mail: Path, new: Path) -> None:
    found = differences("navixy", new, mail)
    assert (found["mails"], found["changed"], found["unreadable"], found["changes"]) == (2, 0, 0, [])
    assert found["counts"] == {} and found["kinds"] == []


def test_a_shorter_response_time_changes_when_an_answer_is_due(mail: Path, new: Path) -> None:
    change(new, "targets.toml", "hours = 2", "hours = 1")
    found = differences("navixy", new, mail)
    (one,) = found["changes"]
    assert (Path(one["file"]).name, one["subject"]) == ("outage.eml", "Platform down")
    assert one["changes"]["due"] == {"before": "2026-03-04T10:00:00+00:00", "after": "2026-03-04T09:00:00+00:00"}
    assert found["counts"] == {"due": 1, "reply": 1}
    assert {"what": "due", "change": "earlier", "mails": 1} in found["kinds"]


def test_other_requirements_change_what_is_missing(mail: Path, new: Path) -> None:
    first = (
        '[[requirement]]\nid = "strict"\nrequest_types = ["question"]\nfields = ["account"]\nclause = "information"\n\n'
    )
    change(new, "requirements.toml", "[[requirement]]\n", first + "[[requirement]]\n")
    change(new, "requirements.toml", 'id = "how_to"', 'id = "how_to"\nseverities = ["1"]')
    text = (new / "requirements.toml").read_text(encoding="utf-8").split("[[requirement]]")
    unreachable = ('"partners_own_work"', '"how_to"', '"api_question"', '"device_question"')
    kept = [part for part in text if not any(f"id = {name}" in part for name in unreachable)]
    (new / "requirements.toml").write_text("[[requirement]]".join(kept), encoding="utf-8")
    (one,) = differences("navixy", new, mail)["changes"]
    assert one["changes"]["missing"] == {"before": [], "after": ["account"]}
    assert one["changes"]["state"] == {"before": "open", "after": "awaiting_partner"}


def test_words_that_a_new_pack_knows_change_a_label(mail: Path, new: Path) -> None:
    (new / "words" / "en" / "own.toml").write_text(
        '[[rule]]\nid = "en.own"\nsignal = "service.api"\nweight = 50.0\nphrases = ["trip report"]\n', encoding="utf-8"
    )
    changes = {Path(one["file"]).name: one["changes"] for one in differences("navixy", new, mail)["changes"]}
    assert changes["question.eml"]["service"] == {"before": "features", "after": "api"}


def test_the_summary_counts_and_shows_before_and_after(mail: Path, new: Path) -> None:
    change(new, "targets.toml", "hours = 2", "hours = 1")
    change(new, "pack.toml", 'version = "1.0"', 'version = "1.1"')
    lines = diff("navixy", new, mail).stdout.split("\n")
    assert lines[:2] == ["navixy 1.0 -> navixy 1.1", "2 mails: 1 would be decided otherwise, 1 would not"]
    assert "       1  due: earlier" in lines
    assert "  due           Wed 2026-03-04 10:00 UTC  ->  Wed 2026-03-04 09:00 UTC" in lines
    assert any(line.startswith("    + Answer by: Wednesday, 4 March 2026, 09:00 UTC") for line in lines)


def test_a_change_without_another_version_is_told(mail: Path, new: Path) -> None:
    assert "same version" not in diff("navixy", new, mail).stdout
    change(new, "targets.toml", "hours = 2", "hours = 1")
    assert "both have the same version: raise it" in diff("navixy", new, mail).stdout


def test_every_sender_is_a_partner_where_no_partner_file_is_configured_and_it_says_so(mail: Path, new: Path) -> None:
    senders = differences("navixy", new, mail)["senders"]
    assert senders == (
        "no partner file is configured: everybody is taken for an authorized partner with deployment paas"
    )


def test_a_deployment_can_be_chosen(mail: Path, new: Path) -> None:
    text = (new / "targets.toml").read_text(encoding="utf-8").replace("hours = 3", "hours = 2")
    (new / "targets.toml").write_text(text, encoding="utf-8")
    assert differences("navixy", new, mail)["changed"] == 0
    assert differences("navixy", new, mail, "--deployment", "on_premise")["counts"] == {"due": 1, "reply": 1}


def test_a_deployment_that_no_pack_knows_is_wrong_usage(mail: Path, new: Path) -> None:
    with pytest.raises(ConfigError, match="the packs know paas, on_premise, cloud"):
        diff("navixy", new, mail, "--deployment", "moon")


def test_an_mbox_and_a_maildir_are_archives_too(tmp_path: Path, new: Path) -> None:
    change(new, "targets.toml", "hours = 2", "hours = 1")
    (tmp_path / "old.mbox").write_bytes(
        b"From a Mon Mar  2 08:00:00 2026\n" + OUTAGE + b"\nFrom b Mon Mar  2 08:00:00 2026\n" + QUESTION
    )
    for name in ("cur", "new", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir" / "cur" / "1.host:2,S").write_bytes(OUTAGE)
    found = differences("navixy", new, tmp_path / "old.mbox", tmp_path / "Maildir")
    assert found["mails"] == 3
    assert [Path(one["file"]).name for one in found["changes"]] == ["old.mbox#1", "1.host:2,S"]


def test_a_reply_that_no_longer_goes_out_is_told_in_a_line(mail: Path, new: Path) -> None:
    (new / "words" / "en" / "own.toml").write_text(
        '[[rule]]\nid = "en.own"\nsignal = "kind.auto_reply"\nweight = 50.0\nphrases = ["every Monday"]\n',
        encoding="utf-8",
    )
    text = diff("navixy", new, mail / "question.eml").stdout
    assert "  kind          request  ->  auto_reply" in text
    assert "  reply         no longer goes out: Re: [#NEW] Schedule" in text


def test_no_more_mails_are_shown_than_asked_for(mail: Path, new: Path) -> None:
    change(new, "targets.toml", "hours = 2", "hours = 1")
    assert "... and 1 more" in diff("navixy", new, mail, "--most", "0").stdout


def test_a_mail_that_cannot_be_read_gets_its_line(mail: Path, new: Path) -> None:
    (mail / "broken.eml").write_bytes(b"\x00\xff" * 50)
    found = differences("navixy", new, mail)
    assert (found["mails"], found["unreadable"]) == (3, 1)
    (one,) = found["errors"]
    assert Path(one["file"]).name == "broken.eml"
    assert "broken.eml: cannot be read: " in diff("navixy", new, mail).stdout


def test_words_of_a_mail_move_no_cursor(mail: Path, new: Path) -> None:
    (mail / "outage.eml").write_bytes(OUTAGE.replace(b"Subject: Platform", b"Subject: \x1b[2JPlatform\x07"))
    change(new, "targets.toml", "hours = 2", "hours = 1")
    for arguments in ((), ("--json",)):
        assert not set(diff("navixy", new, mail, *arguments).stdout) & set("\x1b\x07")


def test_a_mail_without_a_date_is_judged_at_one_time_under_both(mail: Path, new: Path) -> None:
    (mail / "outage.eml").write_bytes(OUTAGE.replace(b"Date: Wed, 04 Mar 2026 08:00:00 +0000\n", b""))
    assert differences("navixy", new, mail)["changed"] == 0


def test_senders_are_looked_up_in_the_partner_file(tmp_path: Path, mail: Path, new: Path) -> None:
    (tmp_path / "partners.csv").write_text(
        "partner,deployment,subscription_until,address,role,language,timezone,status\n"
        "Other,paas,,someone@else.example,partner,,,\n",
        encoding="utf-8",
    )
    (tmp_path / "config.toml").write_text('[partners]\nfile = "partners.csv"\n', encoding="utf-8")
    change(new, "targets.toml", "hours = 2", "hours = 1")
    assert differences("navixy", new, mail)["changed"] == 0
