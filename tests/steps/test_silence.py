"""What fails for too long is told once, and once more when it is over."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tests.steps.desk import MONDAY, Story, subject_of, text_of
from triage.adapters.db.store import Store
from triage.core.errors import Temporary
from triage.steps.silence import Silence


class Away(Store):
    away = False

    def begin(self, *lease: object) -> object:  # type: ignore[override]
        if self.away:
            raise Temporary("database: gone")
        return super().begin(*lease)  # type: ignore[arg-type]


class Watch:
    """Time passes, parts fail and work."""

    def __init__(self, desk: Story, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "triage")
        self.caplog, self.desk, self.now = caplog, desk, MONDAY
        self.store = Away(desk.store.engine)
        self.silence = Silence(self.store, desk.office, 15, now=lambda: self.now)

    def after(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        self.silence.look()

    def told(self) -> list[str]:
        return [record.__dict__["event"] for record in self.caplog.records if "event" in record.__dict__]

    def mails(self) -> list[str]:
        return [subject_of(row["raw"]) for row in self.desk.sent("staff_alarm")]


@pytest.fixture
def watch(desk: Story, caplog: pytest.LogCaptureFixture) -> Watch:
    return Watch(desk, caplog)


def test_one_alarm_after_the_time_and_one_word_when_it_is_over(watch: Watch) -> None:
    for _ in range(8):
        watch.silence.fails("mailer", "SMTP server mx:25: cannot connect")
        watch.after(minutes=4)
    assert watch.told() == ["connection.failed", "alarm.raised"]
    assert watch.mails() == ["Support desk: mailer does not work"]
    assert "cannot connect" in text_of(watch.desk.sent("staff_alarm")[0]["raw"])
    watch.silence.works("mailer")
    watch.silence.works("mailer")
    watch.after(minutes=60)
    assert watch.told() == ["connection.failed", "alarm.raised", "connection.restored", "alarm.over"]
    assert watch.mails()[1:] == ["Support desk: mailer works again"]


def test_short_trouble_is_logged_and_raises_no_alarm(watch: Watch) -> None:
    watch.silence.fails("mailer", "away")
    watch.after(minutes=14)
    watch.silence.works("mailer")
    watch.silence.fails("mailer", "away")
    watch.after(minutes=14)
    assert "alarm.raised" not in watch.told() and watch.mails() == []


def test_each_new_reason_is_logged_once(watch: Watch) -> None:
    for reason in ("away", "away", "wrong password", "wrong password"):
        watch.silence.fails("mailer", reason)
    assert watch.told() == ["connection.failed"] * 2


def test_next_trouble_raises_its_own_alarm(watch: Watch) -> None:
    for _ in range(2):
        watch.silence.fails("mailer", "away")
        watch.after(minutes=16)
        watch.silence.works("mailer")
    assert watch.told().count("alarm.raised") == 2 == watch.told().count("alarm.over")
    assert len(watch.mails()) == 4


def test_database_that_is_away_is_one_cause_and_one_alarm_told_when_it_is_back(watch: Watch) -> None:
    watch.store.away = True
    for name in ("mailbox a", "mailbox b", "outbox", "clocks"):
        watch.silence.fails(name, "database: connection refused")
    watch.after(minutes=16)
    watch.after(minutes=16)
    assert watch.told().count("alarm.raised") == 1
    watch.store.away = False
    watch.silence.works("clocks")
    watch.after(minutes=0.1)
    assert watch.mails() == ["Support desk: database does not work"]
    for name in ("mailbox a", "mailbox b", "outbox"):
        assert watch.told().count("alarm.over") == 0
        watch.silence.works(name)
    assert watch.told().count("alarm.over") == 1
    assert watch.mails()[1:] == ["Support desk: database works again"]
