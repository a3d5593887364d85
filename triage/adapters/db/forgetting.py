"""Forgetting a person: what he opened, what he sent and what was sent to him goes; where others speak of him, his
address is blotted out.

The number of the newest ticket is not given again: SQLite would, and an old mail of his would lead to a stranger's
ticket. An empty ticket keeps it until there is a newer one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)

from triage.adapters.db.tables import mails, message_ids, notices, outbox, people, promises, story, tickets

_SAID = "(forgotten)"
# Where words of others may name him.
_WORDS: tuple[tuple[Table, str], ...] = (
    (story, "keys"),
    (notices, "keys"),
    (mails, "subject"),
    (mails, "reading"),
    (tickets, "subject"),
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted of a person."""

    tickets: int
    replies: int
    fingerprints: list[str]


def forget(connection: Connection, address: str) -> Forgotten:
    """Delete all that is stored of a mailbox (lower case, without a plus tag), with any tag."""
    execute = connection.execute
    if connection.dialect.name == "sqlite":
        execute(text("PRAGMA secure_delete = ON"))  # what is deleted is overwritten
    sent, opened = _is(mails.c.sender, address), _is(tickets.c.requester, address)
    rows = execute(select(mails.c.id, mails.c.fingerprint, mails.c.message_id, mails.c.ticket).where(sent)).all()
    about = outbox.c.ticket.in_(select(tickets.c.id).where(opened))
    replies = execute(delete(outbox).where(or_(about, _is(outbox.c.recipient, address)))).rowcount
    for row in rows:
        execute(delete(message_ids).where(message_ids.c.message_id == row.message_id))
        if row.ticket is not None:
            execute(_emptied().where(outbox.c.ticket == row.ticket))  # it may quote him
    execute(delete(mails).where(sent))
    execute(delete(promises).where(_is(promises.c.to_address, address)))
    gone = _tickets(connection, opened)
    execute(delete(people).where(_is(people.c.address, address)))
    for table, name in _WORDS:
        _blot(connection, table, name, address)
    execute(_emptied().where(_holds(connection, address)))
    return Forgotten(gone, replies, [row.fingerprint for row in rows])


def _tickets(connection: Connection, opened: ColumnElement[bool]) -> int:
    """Delete tickets. Returns how many."""
    newest = connection.execute(select(tickets).order_by(tickets.c.id.desc()).limit(1)).first()
    gone = connection.execute(delete(tickets).where(opened)).rowcount
    if newest and not connection.execute(select(tickets.c.id).where(tickets.c.id == newest.id)).first():
        connection.execute(
            tickets.insert().values(
                id=newest.id, partner="", requester="", subject=_SAID, state="closed", fields=[], flags=[], settled=[],
                pack=newest.pack, opened_at=newest.opened_at, closed_at=newest.last_mail_at or newest.opened_at,
            )
        )  # fmt: skip
    return gone


def _blot(connection: Connection, table: Table, name: str, address: str) -> None:
    """Take the address out of a column of text or JSON."""
    column = table.c[name]
    local, _, domain = address.rpartition("@")
    form = re.compile(rf"(?<![\w.+-]){re.escape(local)}(?:\+[^@\s\"]{{0,64}})?@{re.escape(domain)}(?!\.?[\w-])", re.I)
    words = func.lower(cast(column, Text)).contains("@" + domain, autoescape=True)
    for row in connection.execute(select(table.c.id, column).where(words)).all():
        plain = isinstance(column.type, String)
        said: str = row[1] if plain else json.dumps(row[1], ensure_ascii=False)
        blotted = form.sub(_SAID, said)
        if blotted != said:
            value: Any = blotted if plain else json.loads(blotted)
            connection.execute(update(table).where(table.c.id == row.id).values({name: value}))


def _emptied() -> Any:
    """The bytes of mail that has left go; that it was sent stays on record."""
    return update(outbox).where(outbox.c.next_at.is_(None), outbox.c.raw.is_not(None)).values(raw=None)


def _holds(connection: Connection, address: str) -> ColumnElement[bool]:
    """Whether the bytes of a mail of ours hold the address as it is."""
    found: ColumnElement[bool]
    if connection.dialect.name == "sqlite":
        found = func.instr(outbox.c.raw, address.encode()) > 0
        return found
    found = func.position(literal(address.encode(), LargeBinary).op("IN")(outbox.c.raw)) > 0
    return found


def _is(column: Column[str], address: str) -> ColumnElement[bool]:
    """The mailbox itself, or with any plus tag."""
    local, _, domain = address.rpartition("@")
    tagged = column.startswith(f"{local}+", autoescape=True) & column.endswith(f"@{domain}", autoescape=True)
    return or_(column == address, tagged)
