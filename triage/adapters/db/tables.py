"""The tables: what the program remembers. `migrations/` makes the same; a test compares the two.

Times are UTC. Partial indexes keep every question of a round as cheap as what is due, whatever is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, on databases that keep zones and on those that do not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at: datetime = value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for INTEGER PRIMARY KEY
metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)

leases = Table(  # who may do a job that only one may do
    "leases",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("epoch", Id, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("partner", String(300), nullable=False),
    Column("requester", String(320), nullable=False),
    Column("subject", String(1000), nullable=False),
    Column("state", String(20), nullable=False),
    Column("language", String(20), nullable=False, server_default=""),
    Column("timezone", String(60), nullable=False, server_default=""),
    Column("deployment", String(60)),
    Column("request_type", String(60)),
    Column("service", String(60)),
    Column("severity", String(60)),
    Column("out_of_scope", String(60)),
    Column("fields", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    # What staff decided, which no later reading changes: severity, deployment, partner, accept
    Column("settled", JSON, nullable=False, server_default="[]"),
    Column("asked", Integer, nullable=False, server_default="0"),
    Column("pack", String(120), nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("last_mail_at", Utc),
    Column("clock_started_at", Utc),
    Column("due_at", Utc),
    Column("hours", Float),
    Column("guaranteed", Boolean),
    Column("clock_reason", String(60), nullable=False, server_default=""),
    Column("calendar", String(60)),
    Column("answered_at", Utc),
    Column("closed_at", Utc),
    Column("follows", Id, ForeignKey("tickets.id", ondelete="SET NULL")),
)
Index("tickets_partner", tickets.c.partner)
Index("tickets_requester", tickets.c.requester)
Index("tickets_unfinished", tickets.c.state, tickets.c.due_at, sqlite_where=text("state != 'closed'"),
      postgresql_where=text("state != 'closed'"))  # fmt: skip
Index("tickets_follows", tickets.c.follows, sqlite_where=text("follows IS NOT NULL"),
      postgresql_where=text("follows IS NOT NULL"))  # fmt: skip
Index("tickets_closed", tickets.c.closed_at, sqlite_where=text("closed_at IS NOT NULL"),
      postgresql_where=text("closed_at IS NOT NULL"))  # fmt: skip

mails = Table(  # every mail that was handled, and where it was filed
    "mails",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailbox", String(300), nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("duplicate_of", Id, ForeignKey("mails.id", ondelete="CASCADE")),
    Column("message_id", String(300), nullable=False, server_default=""),
    Column("sender", String(320), nullable=False, server_default=""),
    Column("subject", String(1000), nullable=False, server_default=""),
    Column("received_at", Utc, nullable=False),
    Column("handled_at", Utc, nullable=False),
    Column("kind", String(40), nullable=False, server_default=""),
    Column("text_hash", String(32), nullable=False, server_default=""),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="SET NULL")),
    Column("folder", String(20), nullable=False),  # ready waiting refused ignored quarantine
    Column("filed_at", Utc),  # when it was moved there; NULL: still to do
    Column("released_from", String(20)),  # a folder out of which it is still to be moved, after it was handled again
    Column("reading", JSON),  # what it said and what was decided, for the ticket's story
)
Index("mails_place", mails.c.mailbox, mails.c.uidvalidity, mails.c.uid, unique=True)
Index("mails_original", mails.c.fingerprint, unique=True, sqlite_where=text("duplicate_of IS NULL"),
      postgresql_where=text("duplicate_of IS NULL"))  # fmt: skip
Index("mails_unfiled", mails.c.mailbox, mails.c.uid, sqlite_where=text("filed_at IS NULL"),
      postgresql_where=text("filed_at IS NULL"))  # fmt: skip
Index("mails_released", mails.c.mailbox, sqlite_where=text("released_from IS NOT NULL"),
      postgresql_where=text("released_from IS NOT NULL"))  # fmt: skip
Index("mails_duplicates", mails.c.duplicate_of, sqlite_where=text("duplicate_of IS NOT NULL"),
      postgresql_where=text("duplicate_of IS NOT NULL"))  # fmt: skip
Index("mails_ticket", mails.c.ticket)
Index("mails_message_id", mails.c.message_id)
Index("mails_sender", mails.c.sender, mails.c.text_hash, mails.c.received_at)
Index("mails_handled", mails.c.handled_at)

message_ids = Table(  # ids of mails that belong to tickets, theirs and ours
    "message_ids",
    metadata,
    Column("message_id", String(300), primary_key=True),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True),
)
Index("message_ids_ticket", message_ids.c.ticket)

alarms = Table(  # what is to happen to a ticket at a time; a row goes when it has happened
    "alarms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),  # warning breach remind close
    Column("at", Utc, nullable=False),
    Column("share", Float),  # of the response time, for a warning
)
Index("alarms_at", alarms.c.at)
Index("alarms_ticket", alarms.c.ticket)

promises = Table(  # what was told to whom, apart from what is due now
    "promises",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("to_address", String(320), nullable=False),
    Column("promised_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("guaranteed", Boolean, nullable=False),
    Column("pack", String(120), nullable=False),
    Column("ended_at", Utc),
    Column("end", String(20)),  # kept, broken, replaced (a later mail of the partner), withdrawn
    Column("breached_at", Utc),
)
Index("promises_ticket", promises.c.ticket)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message_id", String(300), nullable=False, unique=True),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="SET NULL")),
    Column("mail", Id, ForeignKey("mails.id", ondelete="SET NULL")),  # that it answers
    Column("sender", String(320), nullable=False),
    Column("recipient", String(320), nullable=False),
    Column("template", String(60), nullable=False),
    Column("language", String(60), nullable=False, server_default=""),
    Column("pack", String(120), nullable=False, server_default=""),
    Column("raw", LargeBinary),  # the mail as it leaves; emptied some time after it has left
    Column("queued_at", Utc, nullable=False),
    Column("next_at", Utc),  # when to try; NULL: done, one way or the other
    Column("claimed_by", String(200)),  # who has it in hand until next_at
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("sent_at", Utc),
    Column("failed_at", Utc),
    Column("error", String(500)),
)
Index("outbox_due", outbox.c.next_at, sqlite_where=text("next_at IS NOT NULL"),
      postgresql_where=text("next_at IS NOT NULL"))  # fmt: skip
Index("outbox_claimed", outbox.c.claimed_by, sqlite_where=text("claimed_by IS NOT NULL"),
      postgresql_where=text("claimed_by IS NOT NULL"))  # fmt: skip
Index("outbox_recipient", outbox.c.recipient, outbox.c.queued_at, outbox.c.ticket)
Index("outbox_old", outbox.c.queued_at, sqlite_where=text("raw IS NOT NULL AND next_at IS NULL"),
      postgresql_where=text("raw IS NOT NULL AND next_at IS NULL"))  # fmt: skip
Index("outbox_ticket", outbox.c.ticket)
Index("outbox_mail", outbox.c.mail)

story = Table(  # a ticket's timeline; the same events as in the log
    "story",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("at", Utc, nullable=False),
    Column("event", String(60), nullable=False),
    Column("keys", JSON, nullable=False),
)
Index("story_ticket", story.c.ticket)

notices = Table(  # what staff is to be told in the next mail to them
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("ticket", Id, ForeignKey("tickets.id", ondelete="CASCADE")),
    Column("keys", JSON, nullable=False),
)
Index("notices_ticket", notices.c.ticket)

people = Table(  # what is remembered of an address apart from its tickets
    "people",
    metadata,
    Column("address", String(320), primary_key=True),
    Column("stranger_told_at", Utc),  # to ask his partner
    Column("bounced_at", Utc),
    Column("bounce", String(200)),
    Column("partner", String(300)),  # staff said: this address belongs to that partner
)
