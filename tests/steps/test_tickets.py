"""What a mail brings about in the store, at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.steps.desk import ANA, Story, reading, text_of
from triage.adapters.db.store import Store


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The SQL statements within, without those that begin and end transactions."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")):
            seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def test_a_new_request_costs_few_statements(any_desk: Story) -> None:
    email = any_desk.mail()
    with statements(any_desk.store) as seen:
        any_desk.receive(email)
    assert len(seen) <= 10, seen


def test_a_follow_up_costs_few_statements(any_desk: Story) -> None:
    mail = any_desk.request()
    follow_up = any_desk.mail(answers=[mail.message_id, any_desk.thread()])
    with statements(any_desk.store) as seen:
        any_desk.receive(follow_up)
    assert len(seen) <= 13, seen


def test_a_mail_of_machines_costs_few_statements(any_desk: Story) -> None:
    with statements(any_desk.store) as seen:
        any_desk.receive(any_desk.mail(), reading(kind="list"))
    assert len(seen) <= 4, seen


def test_a_round_with_nothing_due_costs_a_look(any_desk: Story) -> None:
    any_desk.request()
    any_desk.sweep()
    with statements(any_desk.store) as seen:
        any_desk.sweep()
    assert len(seen) <= 4, seen


def test_a_hundred_breaches_cost_hardly_more_statements_than_one(any_desk: Story) -> None:
    for number in range(100):
        any_desk.request(subject=f"Matter {number}")
    any_desk.office.notify = ()
    with statements(any_desk.store) as seen:
        any_desk.sweep(any_desk.now.replace(hour=12))
    assert len(seen) <= 20, seen


def test_a_second_copy_opens_no_second_ticket(any_desk: Story) -> None:
    email = any_desk.request()
    any_desk.receive(email)
    assert any_desk.count() == 1
    assert len(any_desk.sent("accepted")) == 1


def test_where_the_pack_splits_each_question_is_a_ticket_with_a_clock(any_store: Store) -> None:
    desk = Story(any_store, questions="split")
    desk.request(said=reading(questions=("How do I export?", "Why is it slow?")))
    assert [desk.ticket(number)["subject"] for number in (1, 2)] == ["Empty report", "Why is it slow?"]
    assert desk.alarms(1) == desk.alarms(2)
    assert [one.to for one in desk.promises(1) + desk.promises(2)] == [ANA, ANA]
    (reply,) = desk.sent()
    assert "#1001, #1002" in text_of(reply["raw"])


def test_everything_about_a_ticket_is_in_its_story_and_its_row(any_desk: Story) -> None:
    any_desk.request()
    ticket = any_desk.ticket()
    assert (ticket["pack"], ticket["hours"], ticket["calendar"], ticket["guaranteed"]) == (
        any_desk.office.pack_version, 6.0, "paas_hours", True,
    )  # fmt: skip
    assert any_desk.told() == ["ticket.opened", "clock.started", "reply.queued"]
    assert [name for name, _ in any_desk.events] == any_desk.told()


def test_a_new_pack_changes_no_running_promise(any_desk: Story) -> None:
    from triage.core.clock import make_rules

    any_desk.request()
    due = any_desk.ticket()["due_at"]
    pack = any_desk.office.rules.pack
    targets = [one.model_copy(update={"hours": 1.0}) for one in pack.targets]
    any_desk.office.rules = make_rules(pack.model_copy(update={"targets": targets}))
    any_desk.sweep(any_desk.now.replace(hour=8))
    assert (any_desk.ticket()["due_at"], any_desk.promises()[0].due) == (due, due)
    any_desk.request(subject="New")
    assert any_desk.ticket(2)["hours"] == 1.0
