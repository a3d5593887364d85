"""Programs that answer each mail of ours at once, with every header gone that would tell them: the exchange ends."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from tests import stores
from tests.steps.desk import MONDAY, Story, shipped_pack, text_of
from tests.steps.test_trust import ASKS
from triage.adapters.db.store import Store
from triage.adapters.mime import parse
from triage.core.clock import make_rules
from triage.core.model import Contact, Desk, Trust
from triage.core.reading.read import read
from triage.steps.apply import Place
from triage.steps.intake import handle
from triage.steps.telling import Telling

# Headers that tell a machine, or a thread.
_TELLING = re.compile(rb"(?im)^(?:auto-submitted|x-[a-z-]+|precedence|references|in-reply-to):.*\r?\n(?:[ \t].*\r?\n)*")
_PLACES = itertools.count(1)

ROBOTS = {
    "a number in brackets": (
        "[Ticket#2026112510000017] RE: {subject}",
        "Dear customer,\n\nyour request was registered with the ticket number 2026112510000017. It will be answered as "
        "soon as possible.\n\nYour service team",
    ),
    "a line above which to reply": (
        "[Request received] {subject}",
        "##- Please type your reply above this line -##\n\nYour request (88123) has been received and is being "
        "reviewed by our support staff.\n\nTo add additional comments, reply to this email.",
    ),
    "another language": (
        "Ticket recibido: {subject}",
        "Hemos recibido su solicitud y se ha creado el ticket 4512. Un agente le responderá en breve.",
    ),
    "a language of which no word is known": ("Re: {subject}", "Pyyntönne on kirjattu numerolla {number}."),
    "our words in the quote": ("Re: {subject}", "Your message was received. We will answer soon.\n\n{quote}"),
    "hardly a word": ("Re: {subject}", "Thanks for your email! We will get back to you shortly."),
}


def desk(store: Store, address: str, other: str) -> Story:
    """A desk with the shipped limits, of which everyone at the other's domain is a partner."""
    story = Story(store, [Contact("Other", "paas", other)])
    story.office.desk = Desk((address,), key=address.encode() * 2)
    story.office.rules = make_rules(shipped_pack())
    story.office.staff = ()
    story.now = MONDAY
    return story


def give(story: Story, raw: bytes) -> None:
    story.now += timedelta(seconds=20)
    email = parse(raw, story.now)
    reading = read(email, shipped_pack(), story.office.desk)
    with story.store.begin() as tx:
        place = Place("inbox", 1, next(_PLACES))
        handle(tx, email, reading, story.office, Telling(story.now), place, Trust())


def first(sender: str, to: str) -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: Trips\r\nMessage-ID: <1@bolt.example>\r\n\r\n{ASKS}".encode()


@pytest.fixture
def two() -> Iterator[tuple[Store, Store]]:
    with stores.empty() as one, stores.empty() as other:
        yield one, other


@pytest.mark.parametrize("stripped", [False, True])
def test_two_desks_of_this_program_do_not_answer_each_other(two: tuple[Store, Store], stripped: bool) -> None:
    ours = desk(two[0], "support@vendor.example", "@bolt.example")
    theirs = desk(two[1], "support@bolt.example", "@vendor.example")
    give(ours, first("support@bolt.example", "support@vendor.example"))
    handed = {id(ours): 0, id(theirs): 0}
    for story, other in [(ours, theirs), (theirs, ours)] * 20:
        for one in story.sent()[handed[id(story)] :]:
            handed[id(story)] += 1
            give(other, _TELLING.sub(b"", one["raw"]) if stripped else one["raw"])
    assert (len(ours.sent()), len(theirs.sent())) == (1, 0)


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("new_address", [False, True])
def test_an_exchange_with_a_robot_ends(store: Store, name: str, new_address: bool) -> None:
    story = desk(store, "support@vendor.example", "@bolt.example")
    give(story, first("help@bolt.example", "support@vendor.example"))
    subject, text = ROBOTS[name]
    answered = 0
    while answered < len(story.sent()) and answered < 40:
        reply = story.sent()[answered]
        answered += 1
        values = {
            "subject": message_from_bytes(reply["raw"], policy=policy.default)["Subject"],
            "quote": "> " + text_of(reply["raw"]).replace("\n", "\n> "),
            "number": 88000 + answered,
        }
        sender = f"help{answered}@bolt.example" if new_address else "help@bolt.example"
        head = f"From: {sender}\nTo: support@vendor.example\nSubject: {subject.format(**values)}\n"
        give(story, f"{head}Message-ID: <r{answered}@bolt.example>\n\n{text.format(**values)}".encode())
    assert len(story.sent()) <= 6 and story.count() == 1
