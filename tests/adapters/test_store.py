"""The store, on SQLite and on PostgreSQL: transactions, tickets, mails, alarms, promises, outgoing mail, people."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from triage.adapters.db import engine
from triage.adapters.db.store import Store, Transaction
from triage.adapters.db.tables import metadata, outbox
from triage.adapters.db.tickets import id_of, number
from triage.core.errors import ConfigError, Permanent
from triage.core.model import TicketState

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def open_ticket(tx: Transaction, **values: Any) -> TicketState:
    row = {
        "partner": "Acme", "requester": "ana@acme.example", "subject": "Empty report", "state": "open", "fields": [],
        "flags": [], "pack": "test 1", "opened_at": NOW,
    }  # fmt: skip
    return tx.tickets.open(**{**row, **values})


def add_mail(tx: Transaction, uid: int, **values: Any) -> int:
    row = {
        "mailbox": "inbox", "uidvalidity": 1, "uid": uid, "fingerprint": f"{uid:064x}", "received_at": NOW,
        "handled_at": NOW, "folder": "ready", "sender": "ana@acme.example",
    }  # fmt: skip
    return tx.mails.add(**{**row, **values})


def queue(tx: Transaction, name: str, **values: Any) -> None:
    row = {
        "message_id": f"<{name}@x>", "sender": "s@x", "recipient": "ana@acme.example", "template": "accepted",
        "raw": b"x", "queued_at": NOW, "next_at": NOW,
    }  # fmt: skip
    tx.outbox.queue(**{**row, **values})


# ---------------------------------------------------------------- transactions


def test_a_transaction_stands_or_falls_whole(any_store: Store) -> None:
    with pytest.raises(RuntimeError), any_store.begin() as tx:
        ticket = open_ticket(tx)
        tx.tickets.tell(ticket.id, NOW, "ticket.opened", {})
        raise RuntimeError
    with any_store.look() as tx:
        assert tx.tickets.select() == []
        assert tx.tickets.story(1) == []


def test_a_failed_part_takes_only_itself_along(any_store: Store) -> None:
    with any_store.begin() as tx:
        kept = open_ticket(tx)
        tx.tickets.tell(kept.id, NOW, "one", {})
        with pytest.raises(RuntimeError), tx.savepoint():
            tx.tickets.tell(kept.id, NOW, "two", {})
            tx.tickets.change(kept.id, state="closed")
            tx.notices.add(NOW, "breach", kept.id, {})
            raise RuntimeError
        with tx.savepoint():
            tx.tickets.tell(kept.id, NOW, "three", {})
    with any_store.look() as tx:
        assert [line.event for line in tx.tickets.story(kept.id)] == ["one", "three"]
        assert tx.tickets.row(kept.id)["state"] == "open"  # type: ignore[index]
        assert not tx.notices.any()


def test_times_come_back_aware_and_to_the_microsecond(any_store: Store) -> None:
    at = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    with any_store.begin() as tx:
        ticket = open_ticket(tx, last_mail_at=at, due_at=at + HOUR)
    with any_store.look() as tx:
        found = tx.tickets.get(ticket.id)
    assert found and (found.last_mail_at, found.due) == (at, at + HOUR)
    assert found.due and found.due.tzinfo is UTC


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    made = engine.connect(f"sqlite:///{tmp_path}/x.db")
    metadata.create_all(made)
    store = Store(made)
    with store.begin() as tx:
        tx.meta.put("count", "0")

    def count() -> None:
        for _ in range(30):
            with store.begin() as tx:
                tx.meta.put("count", str(int(tx.meta.get("count") or 0) + 1))

    writers = [threading.Thread(target=count) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    with store.look() as tx:
        assert tx.meta.get("count") == "90"
    store.close()


def test_a_ticket_in_hand_waits_for_nobody_and_is_skipped_by_the_sweep(postgres_url: str) -> None:
    made = engine.connect(postgres_url)
    metadata.create_all(made)
    store = Store(made)
    with store.begin() as tx:
        first, second = open_ticket(tx), open_ticket(tx)
        for ticket in (first, second):
            tx.clocks.add(ticket.id, [("breach", NOW, None)])
    with store.begin() as mail:
        assert mail.tickets.get(first.id)
        with store.begin() as sweep:
            assert [ticket.id for _, ticket in sweep.clocks.due(NOW)] == [second.id]
    store.close()


def test_a_url_of_no_use_is_a_fault_of_the_configuration() -> None:
    for url in ("nonsense", "mysql://x/y"):
        with pytest.raises(ConfigError, match=r"database\.url"):
            engine.connect(url)


def test_a_new_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = engine.connect(f"sqlite:///{tmp_path}/var/x.db")
    metadata.create_all(made)
    assert (tmp_path / "var" / "x.db").stat().st_mode & 0o777 == 0o600
    made.dispose()


def test_a_read_only_database_says_how_to_mend_it(store: Store) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(Permanent, match="give the daemon's user the right to write"), store.begin() as tx:
        tx.meta.put("a", "b")


# ---------------------------------------------------------------- tickets


def test_a_number_is_not_the_count_of_tickets() -> None:
    assert number(1) == "1001"
    assert id_of("#1001") == id_of(" 1001 ") == 1
    assert id_of("x") is id_of("") is id_of("9" * 40) is None


def test_a_new_ticket_is_known_as_it_is_stored(any_store: Store) -> None:
    with any_store.begin() as tx:
        made = open_ticket(tx, fields=["account"], deployment="paas", due_at=NOW + HOUR, settled=["severity"])
        assert made == tx.tickets.get(made.id)
    assert made.fields == {"account"}
    assert (made.number, made.requester, made.settled) == ("1001", "ana@acme.example", {"severity"})


def test_message_ids_lead_to_their_tickets_newest_first(any_store: Store) -> None:
    with any_store.begin() as tx:
        one, two = open_ticket(tx), open_ticket(tx)
        for ticket in (one, two, one):
            tx.tickets.remember("<shared@x>", ticket.id)
        tx.tickets.remember("<one@x>", one.id)
        tx.tickets.remember("", one.id)
        assert [ticket.id for ticket in tx.tickets.by_message_ids(["<shared@x>", "<one@x>"])] == [two.id, one.id]
        assert [ticket.id for ticket in tx.tickets.by_message_ids(["<one@x>"])] == [one.id]
        assert tx.tickets.by_message_ids(["<none@x>", ""]) == []


def test_numbers_lead_to_tickets_in_their_order(any_store: Store) -> None:
    with any_store.begin() as tx:
        open_ticket(tx), open_ticket(tx)
        assert [ticket.number for ticket in tx.tickets.by_numbers(["1002", "9", "1001", "x"])] == ["1002", "1001"]


def test_the_ticket_that_follows_a_closed_one_is_found(any_store: Store) -> None:
    with any_store.begin() as tx:
        old = open_ticket(tx, state="closed")
        assert tx.tickets.following(old.id) is None
        new = open_ticket(tx, follows=old.id)
        assert tx.tickets.following(old.id) == new


def test_tickets_are_listed_by_due_time_then_newest(any_store: Store) -> None:
    with any_store.begin() as tx:
        open_ticket(tx, subject="none")
        open_ticket(tx, subject="late", due_at=NOW + HOUR)
        open_ticket(tx, subject="soon", due_at=NOW, partner="Bolt")
        open_ticket(tx, subject="closed", state="closed")
        assert [row["subject"] for row in tx.tickets.select()] == ["soon", "late", "closed", "none"]
        assert [row["subject"] for row in tx.tickets.select(states=["open"], due_before=NOW + HOUR)] == ["soon"]
        assert [row["subject"] for row in tx.tickets.select(due_from=NOW + HOUR)] == ["late"]
        assert [row["subject"] for row in tx.tickets.select(partner="Bolt")] == ["soon"]
        assert tx.tickets.count(states=["open"]) == 3
        assert tx.tickets.count(states=["open"], due_from=NOW, due_before=NOW + 2 * HOUR) == 2


def test_tickets_that_were_reminded_wait_too_long(any_store: Store) -> None:
    with any_store.begin() as tx:
        fresh, old = (open_ticket(tx, state="awaiting_partner", last_mail_at=NOW) for _ in range(2))
        open_ticket(tx)
        tx.clocks.add(fresh.id, [("remind", NOW + DAY, None), ("close", NOW + 10 * DAY, None)])
        tx.clocks.add(old.id, [("close", NOW + DAY, None)])
        total, rows = tx.tickets.waiting_long("awaiting_partner", "remind", 10)
        assert (total, [row["id"] for row in rows]) == (1, [old.id])


def test_closed_tickets_are_forgotten_with_their_story(any_store: Store) -> None:
    with any_store.begin() as tx:
        old, new = open_ticket(tx, state="closed", closed_at=NOW - DAY), open_ticket(tx, state="closed", closed_at=NOW)
        for ticket in (old, new):
            tx.tickets.tell(ticket.id, NOW, "ticket.closed", {})
            tx.tickets.remember(f"<{ticket.id}@x>", ticket.id)
            tx.notices.add(NOW, "breach", ticket.id, {})
        mail = add_mail(tx, 1, ticket=old.id, filed_at=NOW)
        queue(tx, "a", ticket=old.id)
    with any_store.begin() as tx:
        assert tx.tickets.forget_closed(NOW) == 1
        assert tx.tickets.story(old.id) == []
        assert len(tx.tickets.story(new.id)) == 1
        known = tx.mails.by_id(mail)
        assert known and known.ticket is None
        assert tx.mails.forget_old(NOW + HOUR) == 1
        assert [one.ticket for one in tx.notices.take()] == [new.id]


# ---------------------------------------------------------------- mails


def test_a_mail_is_known_by_its_place_and_by_its_content(any_store: Store) -> None:
    with any_store.begin() as tx:
        mail = add_mail(tx, 7, message_id="<7@x>")
        again = add_mail(tx, 8, fingerprint=f"{7:064x}", duplicate_of=mail)
        assert set(tx.mails.at("inbox", 1, [6, 7, 8])) == {7, 8}
        assert tx.mails.at("inbox", 2, [7]) == {}
        found = tx.mails.original(f"{7:064x}")
        assert found and found.id == mail
        assert [one.id for one in tx.mails.by_message_ids(["<7@x>"])] == [mail]
        tx.mails.file([mail], NOW)
        assert [one.id for one in tx.mails.unfiled("inbox", 10)] == [again]


def test_one_mail_cannot_be_handled_twice(any_store: Store) -> None:
    with any_store.begin() as tx:
        add_mail(tx, 1)
    for same in ({"uid": 1, "fingerprint": "other"}, {"uid": 2, "fingerprint": f"{1:064x}"}):
        with pytest.raises(Exception, match=r"(?i)unique|another"), any_store.begin() as tx:
            add_mail(tx, **same)


def test_a_mail_is_removed_with_its_further_deliveries(any_store: Store) -> None:
    with any_store.begin() as tx:
        mail = add_mail(tx, 1)
        for uid in (2, 3):
            add_mail(tx, uid, fingerprint=f"{1:064x}", duplicate_of=mail)
    with any_store.begin() as tx:
        tx.mails.remove(mail)
        assert tx.mails.at("inbox", 1, [1, 2, 3]) == {}


def test_the_same_words_again_are_counted(any_store: Store) -> None:
    with any_store.begin() as tx:
        for uid in (1, 2, 3):
            add_mail(tx, uid, text_hash="h", received_at=NOW + uid * HOUR)
        add_mail(tx, 4, text_hash="h", sender="tom@x.example")
        assert tx.mails.same_text("ana@acme.example", "h", NOW + 2 * HOUR) == 2


# ---------------------------------------------------------------- alarms and promises


def test_alarms_are_due_in_their_order_with_their_tickets(any_store: Store) -> None:
    with any_store.begin() as tx:
        one, two = open_ticket(tx), open_ticket(tx)
        assert tx.clocks.next_at() is None
        tx.clocks.add(one.id, [("warning", NOW + HOUR, 0.5), ("breach", NOW + 3 * HOUR, None)])
        tx.clocks.add(two.id, [("warning", NOW, 0.25)])
        tx.clocks.add(two.id, [])
    with any_store.begin() as tx:
        assert tx.clocks.next_at() == NOW
        due = tx.clocks.due(NOW + 2 * HOUR)
        assert [(alarm.kind, alarm.share, ticket) for alarm, ticket in due] == [
            ("warning", 0.25, two), ("warning", 0.5, one),
        ]  # fmt: skip
        assert len(tx.clocks.due(NOW + 2 * HOUR, 1)) == 1
        tx.clocks.drop([alarm.id for alarm, _ in due])
        assert tx.clocks.next_at() == NOW + 3 * HOUR
        assert [alarm.kind for alarm in tx.clocks.late([one.id, two.id], NOW + 3 * HOUR)] == ["breach"]
        assert [alarm.kind for alarm in tx.clocks.clear(one.id)] == ["breach"]
        assert tx.clocks.set_for(one.id) == []


def test_a_promise_stays_on_record_when_it_has_ended(any_store: Store) -> None:
    with any_store.begin() as tx:
        ticket = open_ticket(tx).id
        tx.clocks.promise(ticket, "ana@acme.example", NOW, NOW + HOUR, guaranteed=True, pack="test 1")
        first = tx.clocks.running(ticket)
        assert first and (first.due, first.guaranteed, first.ended_at) == (NOW + HOUR, True, None)
        tx.clocks.breach([first.id], NOW + HOUR)
        tx.clocks.end(ticket, "replaced", NOW + 2 * HOUR)
        assert tx.clocks.running(ticket) is None
        tx.clocks.promise(ticket, "luis@acme.example", NOW + 2 * HOUR, NOW + 4 * HOUR, guaranteed=False, pack="test 1")
        tx.clocks.end(ticket, "kept", NOW + 3 * HOUR)
        kept = [(one.to, one.end, one.breached_at) for one in tx.clocks.promises_of(ticket)]
    assert kept == [("ana@acme.example", "replaced", NOW + HOUR), ("luis@acme.example", "kept", None)]


# ---------------------------------------------------------------- outgoing mail


def test_a_mail_is_claimed_by_one_and_due_again_when_he_dies(any_store: Store) -> None:
    with any_store.begin() as tx:
        queue(tx, "a")
        queue(tx, "b", next_at=NOW + HOUR, attempts=1)
        first = tx.outbox.claim(NOW, NOW + HOUR, 10, "me")
        assert [mail.message_id for mail in first] == ["<a@x>"]
        assert tx.outbox.claim(NOW, NOW + HOUR, 10, "you") == []
        assert [mail.attempts for mail in tx.outbox.claim(NOW + HOUR, NOW + 2 * HOUR, 10, "you")] == [2, 2]


def test_where_one_daemon_can_be_what_others_had_in_hand_is_due(any_store: Store) -> None:
    with any_store.begin() as tx:
        queue(tx, "a")
        queue(tx, "b")
        assert len(tx.outbox.claim(NOW, NOW + HOUR, 1, "container:1:2:f0f0f0f0:aaaaaaaa")) == 1
        [mine] = tx.outbox.claim(NOW, NOW + HOUR, 1, "me")
        tx.outbox.free(NOW)
        assert tx.outbox.claim(NOW, NOW + HOUR, 10) == []
        tx.outbox.free(NOW, alone="me")
        assert [mail.id for mail in tx.outbox.claim(NOW, NOW + HOUR, 10)] == [mine.id - 1]


def test_what_was_never_tried_is_due_when_the_system_clock_is_set_back(any_store: Store) -> None:
    with any_store.begin() as tx:
        queue(tx, "a", next_at=NOW + HOUR)
        (mail,) = tx.outbox.claim(NOW, NOW + HOUR, 10)
        tx.outbox.defer(mail, NOW + HOUR, "not now", counted=False)
        assert tx.outbox.claim(NOW, NOW + HOUR, 10) == []  # what was put off waits


def test_the_same_message_id_is_one_mail(any_store: Store) -> None:
    with any_store.begin() as tx:
        queue(tx, "a")
        tx.outbox.sent(1, at=NOW)
        queue(tx, "a")
        assert tx.outbox.waiting() == 0


def test_replies_are_counted_by_address_and_ticket(any_store: Store) -> None:
    with any_store.begin() as tx:
        ticket = open_ticket(tx).id
        queue(tx, "old", queued_at=NOW - DAY)
        queue(tx, "one", ticket=ticket, queued_at=NOW)
        queue(tx, "two", ticket=ticket, queued_at=NOW + HOUR, template="incomplete", recipient="luis@acme.example")
        queue(tx, "three", queued_at=NOW)
        queue(tx, "four", ticket=ticket, queued_at=NOW + DAY, template="staff_command", recipient="ivo@vendor.example")
        assert tx.outbox.replies("ana@acme.example", ticket, NOW) == (2, 2, NOW + HOUR)
        assert tx.outbox.replies("ana@acme.example", None, NOW) == (2, 0, None)
        assert tx.outbox.replies("tom@acme.example", ticket, NOW) == (0, 2, NOW + HOUR)
        assert tx.outbox.asked(ticket, ["incomplete", "several"]) == "luis@acme.example"
        assert tx.outbox.asked(ticket, ["several"]) is None


# ---------------------------------------------------------------- people, notices


def test_what_is_asked_for_many_at_once_counts_what_comes_afterwards(any_store: Store) -> None:
    ana, bob = "ana@acme.example", "bob@acme.example"
    with any_store.begin() as tx:
        known = add_mail(tx, 1, text_hash="h")
        add_mail(tx, 2, text_hash="h", received_at=NOW - DAY)
        queue(tx, "a")
        queue(tx, "b", queued_at=NOW - DAY)

    def asked(tx: Transaction) -> list[Any]:
        originals = [tx.mails.original(f"{uid:064x}") for uid in (1, 3)]
        texts = [tx.mails.same_text(sender, "h", NOW) for sender in (ana, bob)]
        replies = [tx.outbox.replies(to, None, NOW)[0] for to in (ana, bob)]
        return [*(one and one.id for one in originals), *texts, *replies]

    with any_store.begin() as tx:
        tx.mails.foresee([f"{uid:064x}" for uid in (1, 3)], [(ana, "h"), (bob, "h")], NOW)
        tx.outbox.foresee([ana, bob], NOW)
        assert asked(tx) == [known, None, 1, 0, 1, 0]
        new = add_mail(tx, 3, text_hash="h", sender=bob)
        add_mail(tx, 4, text_hash="h", received_at=NOW - HOUR)  # too old to count
        queue(tx, "c", recipient=bob)
        assert asked(tx) == [known, new, 1, 1, 1, 1]
        with pytest.raises(RuntimeError), tx.savepoint():
            add_mail(tx, 5, text_hash="h")
            queue(tx, "d")
            raise RuntimeError
        assert asked(tx) == [known, new, 1, 1, 1, 1]
        tx.mails.remove(known)
        assert asked(tx) == [None, new, 0, 1, 1, 1]


def test_what_staff_is_to_be_told_is_taken_once(any_store: Store) -> None:
    with any_store.begin() as tx:
        ticket = open_ticket(tx).id
        for kind in ("warning", "breach"):
            tx.notices.add(NOW, kind, ticket, {"share": 0.5})
        tx.notices.drop(ticket, "warning")
        assert [(one.kind, one.ticket, one.keys) for one in tx.notices.take()] == [("breach", ticket, {"share": 0.5})]
        assert not tx.notices.any()
        tx.notices.add(NOW - DAY, "rude", None, {})
        assert tx.notices.any()
        tx.notices.forget(NOW)
        assert not tx.notices.any()


def test_a_person_is_forgotten_whole(any_store: Store) -> None:
    with any_store.begin() as tx:
        ticket = open_ticket(tx).id
        mail = add_mail(tx, 1, ticket=ticket)
        for uid in (2, 3):
            add_mail(tx, uid, fingerprint=f"{1:064x}", duplicate_of=mail)
        queue(tx, "a", ticket=ticket, mail=mail)
        tx.people.note("ana@acme.example", partner="Acme")
        tx.people.note("ana@acme.example", bounced_at=NOW)
        other = open_ticket(tx, requester="tom@x.example").id
        assert tx.people.get("ana@acme.example")["partner"] == "Acme"
    with any_store.begin() as tx:
        gone = tx.people.forget("ana@acme.example")
        assert (gone.tickets, gone.replies) == (1, 1)
        assert tx.people.get("ana@acme.example") == {}
        assert [row["id"] for row in tx.tickets.select()] == [other]
        assert tx.mails.at("inbox", 1, [1, 2, 3]) == {}


def test_who_is_forgotten_is_not_named_where_others_speak_of_him(any_store: Store) -> None:
    with any_store.begin() as tx:
        other = open_ticket(tx, requester="tom@x.example", subject="For Ana+x@Acme.example, and banana@acme.example").id
        said = {"evidence": [["rule", "clause", "write to ANA@acme.example."]]}
        add_mail(
            tx, 1, ticket=other, sender="tom@x.example", subject="ana@acme.example.mx, ana@acme.example", reading=said
        )
        queue(tx, "a", ticket=other, recipient="tom@x.example", raw=b"Subject: ana@acme.example")
        queue(tx, "b", ticket=other, recipient="tom@x.example", raw=b"Subject: banana")
        tx.outbox.sent(1, 2, at=NOW)
        tx.notices.add(NOW, "quarantined", None, {"subject": "ana@acme.example"})
    with any_store.begin() as tx:
        tx.people.forget("ana@acme.example")
        assert (tx.tickets.row(other) or {})["subject"] == "For (forgotten), and banana@acme.example"
        [mail] = tx.mails.of_ticket(other)
        assert mail.subject == "ana@acme.example.mx, (forgotten)"
        assert mail.reading == {"evidence": [["rule", "clause", "write to (forgotten)."]]}
        assert [one.keys for one in tx.notices.take()] == [{"subject": "(forgotten)"}]
    with any_store.engine.connect() as connection:
        assert [row.raw for row in connection.execute(outbox.select().order_by(outbox.c.id))] == [
            None, b"Subject: banana",
        ]  # fmt: skip


def test_the_number_of_a_forgotten_ticket_is_not_given_again(any_store: Store) -> None:
    with any_store.begin() as tx:
        first = open_ticket(tx).id
        tx.people.forget("ana@acme.example")
        [left] = tx.tickets.select()
        assert (left["id"], left["requester"], left["partner"], left["state"]) == (first, "", "", "closed")
        assert open_ticket(tx, requester="tom@x.example").id == first + 1


# ---------------------------------------------------------------- as cheap as what is due


def test_no_question_of_a_round_scans_what_is_stored(store: Store) -> None:
    """SQLite says of each statement which index answers it."""
    statements: list[tuple[str, Any]] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and not many:
            statements.append((statement, parameters))

    with store.begin() as tx:
        ticket = open_ticket(tx).id
        tx.clocks.due(NOW), tx.clocks.next_at(), tx.clocks.clear(ticket), tx.clocks.late([ticket], NOW)
        tx.clocks.running(ticket), tx.clocks.end(ticket, "kept", NOW)
        tx.notices.any(), tx.notices.take(), tx.notices.drop(ticket, "breach"), tx.meta.get("x")
        tx.mails.original("x"), tx.mails.at("inbox", 1, [1]), tx.mails.unfiled("inbox", 10), tx.mails.released("inbox")
        tx.mails.foresee(["x", "y"], [("x", "h"), ("y", "h")], NOW), tx.outbox.foresee(["x", "y"], NOW)
        tx.mails.forget_foreseen(), tx.outbox.forget_foreseen(), tx.tickets.known([1, 2])
        tx.mails.same_text("x", "h", NOW), tx.mails.by_message_ids(["<x>"]), tx.mails.of_ticket(ticket)
        tx.mails.forget_old(NOW)
        tx.outbox.replies("x", ticket, NOW), tx.outbox.claim(NOW, NOW, 10), tx.outbox.free(NOW)
        tx.outbox.by_message_ids(["<x>"]), tx.outbox.asked(ticket, ["several"]), tx.outbox.waiting()
        tx.tickets.by_message_ids(["<x>"]), tx.tickets.by_numbers(["1001"]), tx.tickets.following(ticket)
        tx.tickets.of_requester("x", ["open"]), tx.tickets.story(ticket), tx.tickets.forget_closed(NOW)
        tx.people.get("x")
    scans = []
    with store.engine.connect() as connection:
        for statement, parameters in statements:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            scans += [(row[3], statement) for row in plan if row[3].startswith("SCAN") and "INDEX" not in row[3]]
    # The oldest notices: all of them are wanted. Constant rows: what is asked for.
    assert [one for one in scans if "FROM notices" not in one[1] and "CONSTANT ROW" not in one[0]] == []
