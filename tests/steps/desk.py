"""A desk for tests: a store, rules, partners and staff, a clock to be set by hand, and mail read by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import cache
from typing import Any

from triage.adapters import packs
from triage.adapters.db.leases import Lease
from triage.adapters.db.store import Store
from triage.adapters.db.tables import notices, outbox
from triage.core import threads
from triage.core.clock import Rules, make_rules
from triage.core.directory import Directory
from triage.core.model import Address, Body, Contact, Desk, Email, Label, Reading, Trust
from triage.core.pack import Pack
from triage.steps.apply import Place
from triage.steps.clockwatch import Clockwatch
from triage.steps.intake import handle
from triage.steps.office import Office
from triage.steps.telling import Telling

MONDAY = datetime(2026, 1, 5, 6, tzinfo=UTC)  # in working time, which is 05:00 to 13:00 UTC
SUPPORT, ANA, LUIS, IVO = "support@vendor.example", "ana@acme.example", "luis@acme.example", "ivo@vendor.example"
FIELDS = ("description", "account", "asset", "element", "actions", "evidence")
PARTNERS = (
    Contact("Acme", "paas", ANA, language="en", timezone="America/Mexico_City"),
    Contact("Acme", "paas", LUIS, "technician"),
    Contact("Bolt", "on_premise", "@bolt.example", subscription_until=MONDAY + timedelta(days=365)),
    Contact("Lapsed", "cloud", "eva@lapsed.example", subscription_until=MONDAY - timedelta(days=30)),
)
AUTHSERV = "mx.vendor.example"


@cache
def shipped_pack() -> Pack:
    return packs.load(packs.shipped_rules() / "navixy")


def rules(**changed: Any) -> Rules:
    """The shipped rules, with another policy."""
    pack = shipped_pack()
    limits = {"replies_per_address": 10_000, "replies_per_ticket": 10_000, "same_text_at_most": 10_000}
    return make_rules(pack.model_copy(update={"policy": pack.policy.model_copy(update={**limits, **changed})}))


def reading(text: str = "The report is empty.", **changed: Any) -> Reading:
    """A complete incident of level 3, but for what is said: a label by its value, `has` the fields that are there."""
    has = changed.pop("has", FIELDS)
    questions = changed.pop("questions", (text,))
    labels: dict[str, Any] = {
        "kind": "request", "language": "en", "request_type": "incident", "service": "features", "out_of_scope": None,
        "severity": "3", "courtesy": "ok", "deployment": None,
    }  # fmt: skip
    labels |= changed
    return Reading(
        language_code=labels["language"],
        body=Body(text),
        questions=questions,
        questions_confidence=1.0,
        fields={name: Label("true" if name in has else "false") for name in FIELDS},
        **{name: value if isinstance(value, Label) else Label(value) for name, value in labels.items()},
    )


class Story:
    """One desk, from the outside: mail comes in, time passes, commands are given."""

    def __init__(self, store: Store, contacts: Iterable[Contact] = PARTNERS, **policy: Any) -> None:
        self.store = store
        self.now = MONDAY
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.office = Office(
            desk=Desk((SUPPORT,), key=b"k" * 32),
            rules=rules(**policy),
            directory=Directory(contacts),
            from_name="Vendor Support",
            staff=("@vendor.example",),
            notify=("lead@vendor.example",),
        )
        self._uids = itertools.count(1)
        self.lease: Lease | None = None

    # ---------------------------------------------------------------- what happens

    def mail(
        self,
        sender: str = ANA,
        *,
        subject: str = "Empty report",
        to: Iterable[str] = (SUPPORT,),
        cc: Iterable[str] = (),
        answers: Iterable[str] = (),
        at: datetime | None = None,
        proven: bool = False,
        text: str = "",
        **more: Any,
    ) -> Email:
        """A mail as it came in. `answers`: the Message-IDs that it refers to, oldest first."""
        uid = next(self._uids)
        ids = tuple(answers)
        result = f"{AUTHSERV}; dmarc=pass header.from={sender.rpartition('@')[2]}"
        made = Email(
            message_id=f"<{uid}@{sender.rpartition('@')[2]}>",
            fingerprint=f"{uid:064x}",
            subject=subject,
            from_=(Address(sender),),
            to=tuple(Address(one) for one in to),
            cc=tuple(Address(one) for one in cc),
            received=at or self.now,
            in_reply_to=ids[-1:],
            references=ids,
            headers={"authentication-results": (result,)} if proven else {},
            text=text,
        )
        return replace(made, **more)

    def receive(self, email: Email, said: Reading | None = None, *, checked: bool = False) -> str:
        """Handle a mail. Returns its folder. `checked`: our mail server checks senders."""
        telling = Telling(self.now)
        trust = Trust(AUTHSERV) if checked else Trust()
        place = Place("inbox", 1, next(self._uids))
        with self.store.begin() as tx:
            _, folder = handle(tx, email, said or reading(email.text or "x"), self.office, telling, place, trust)
        self.events += telling._events
        telling.say()
        return folder

    def request(self, sender: str = ANA, said: Reading | None = None, **more: Any) -> Email:
        """A mail that is handled; itself."""
        email = self.mail(sender, **more)
        self.receive(email, said)
        return email

    def answer(self, *answers: str, to: Iterable[str] = (ANA,), text: str = "Here is how.", **more: Any) -> str:
        """A specialist's mail, with a copy to the mailbox."""
        email = self.mail(IVO, to=to, cc=(SUPPORT,), answers=answers, text=text, **more)
        return self.receive(email)

    def command(self, text: str, *answers: str, to: Iterable[str] = (SUPPORT,), **more: Any) -> str:
        """Commands by mail of a specialist whose address is proven. Returns what we answered, "" when we did not."""
        before = len(self.sent("staff_command"))
        said = reading(text)
        self.receive(self.mail(IVO, answers=answers, to=to, text=text, proven=True, **more), said, checked=True)
        answers_sent = self.sent("staff_command")
        return text_of(answers_sent[-1]["raw"]) if len(answers_sent) > before else ""

    def sweep(self, at: datetime | None = None) -> int:
        """A round over the clocks."""
        self.now = at or self.now
        watch = Clockwatch(self.store, self.office, now=lambda: self.now, lease=lambda: self.lease)
        return watch.round()

    # ---------------------------------------------------------------- what is there

    def ticket(self, number: int = 1) -> dict[str, Any]:
        """The row of the n-th ticket."""
        with self.store.look() as tx:
            row = tx.tickets.row(number)
        assert row is not None
        return row

    def count(self) -> int:
        with self.store.look() as tx:
            return len(tx.tickets.select())

    def told(self, number: int = 1) -> list[str]:
        """The events of a ticket's story."""
        with self.store.look() as tx:
            return [line.event for line in tx.tickets.story(number)]

    def keys(self, event: str, number: int = 1) -> dict[str, Any]:
        """The keys of the newest such event of a ticket's story."""
        with self.store.look() as tx:
            return [line.keys for line in tx.tickets.story(number) if line.event == event][-1]

    def promises(self, number: int = 1) -> list[Any]:
        with self.store.look() as tx:
            return tx.clocks.promises_of(number)

    def alarms(self, number: int = 1) -> list[tuple[str, datetime]]:
        with self.store.look() as tx:
            return [(alarm.kind, alarm.at) for alarm in tx.clocks.set_for(number)]

    def sent(self, template: str = "") -> list[dict[str, Any]]:
        """Queued mail of ours, oldest first."""
        with self.store.engine.connect() as connection:
            rows = connection.execute(outbox.select().order_by(outbox.c.id))
            return [dict(row._mapping) for row in rows if template in ("", row.template)]

    def notices(self) -> list[tuple[str, int | None]]:
        with self.store.engine.connect() as connection:
            return [(row.kind, row.ticket) for row in connection.execute(notices.select().order_by(notices.c.id))]

    def thread(self, number: int = 1) -> str:
        """A Message-ID of ours in the ticket's thread."""
        return threads.message_id(self.office.desk, str(1000 + number), "seed")


def text_of(raw: bytes) -> str:
    """The words of a mail of ours."""
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def subject_of(raw: bytes) -> str:
    return str(message_from_bytes(raw, policy=policy.default)["subject"])
