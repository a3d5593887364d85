"""The first tables: tickets, handled mail, clocks and promises, outgoing mail, and what is remembered of people.

Everything that the daemon promises is written here in the transaction of its decision, so that a kill at any
instant loses and doubles nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows only for INTEGER PRIMARY KEY
UTC_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("epoch", ID, nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "people",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("stranger_told_at", UTC_TIME, nullable=True),
        sa.Column("bounced_at", UTC_TIME, nullable=True),
        sa.Column("bounce", sa.String(length=200), nullable=True),
        sa.Column("partner", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_table(
        "tickets",
        sa.Column("id", ID, nullable=False),
        sa.Column("partner", sa.String(length=300), nullable=False),
        sa.Column("requester", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=1000), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=20), server_default="", nullable=False),
        sa.Column("timezone", sa.String(length=60), server_default="", nullable=False),
        sa.Column("deployment", sa.String(length=60), nullable=True),
        sa.Column("request_type", sa.String(length=60), nullable=True),
        sa.Column("service", sa.String(length=60), nullable=True),
        sa.Column("severity", sa.String(length=60), nullable=True),
        sa.Column("out_of_scope", sa.String(length=60), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("settled", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("asked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pack", sa.String(length=120), nullable=False),
        sa.Column("opened_at", UTC_TIME, nullable=False),
        sa.Column("last_mail_at", UTC_TIME, nullable=True),
        sa.Column("clock_started_at", UTC_TIME, nullable=True),
        sa.Column("due_at", UTC_TIME, nullable=True),
        sa.Column("hours", sa.Float(), nullable=True),
        sa.Column("guaranteed", sa.Boolean(), nullable=True),
        sa.Column("clock_reason", sa.String(length=60), server_default="", nullable=False),
        sa.Column("calendar", sa.String(length=60), nullable=True),
        sa.Column("answered_at", UTC_TIME, nullable=True),
        sa.Column("closed_at", UTC_TIME, nullable=True),
        sa.Column("follows", ID, nullable=True),
        sa.ForeignKeyConstraint(["follows"], ["tickets.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "tickets_closed",
        "tickets",
        ["closed_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "tickets_follows",
        "tickets",
        ["follows"],
        unique=False,
        sqlite_where=sa.text("follows IS NOT NULL"),
        postgresql_where=sa.text("follows IS NOT NULL"),
    )
    op.create_index("tickets_partner", "tickets", ["partner"], unique=False)
    op.create_index("tickets_requester", "tickets", ["requester"], unique=False)
    op.create_index(
        "tickets_unfinished",
        "tickets",
        ["state", "due_at"],
        unique=False,
        sqlite_where=sa.text("state != 'closed'"),
        postgresql_where=sa.text("state != 'closed'"),
    )
    op.create_table(
        "alarms",
        sa.Column("id", ID, nullable=False),
        sa.Column("ticket", ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("share", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alarms_at", "alarms", ["at"], unique=False)
    op.create_index("alarms_ticket", "alarms", ["ticket"], unique=False)
    op.create_table(
        "mails",
        sa.Column("id", ID, nullable=False),
        sa.Column("mailbox", sa.String(length=300), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("duplicate_of", ID, nullable=True),
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
        sa.Column("sender", sa.String(length=320), server_default="", nullable=False),
        sa.Column("subject", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("received_at", UTC_TIME, nullable=False),
        sa.Column("handled_at", UTC_TIME, nullable=False),
        sa.Column("kind", sa.String(length=40), server_default="", nullable=False),
        sa.Column("text_hash", sa.String(length=32), server_default="", nullable=False),
        sa.Column("ticket", ID, nullable=True),
        sa.Column("folder", sa.String(length=20), nullable=False),
        sa.Column("filed_at", UTC_TIME, nullable=True),
        sa.Column("released_from", sa.String(length=20), nullable=True),
        sa.Column("reading", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["duplicate_of"], ["mails.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "mails_duplicates",
        "mails",
        ["duplicate_of"],
        unique=False,
        sqlite_where=sa.text("duplicate_of IS NOT NULL"),
        postgresql_where=sa.text("duplicate_of IS NOT NULL"),
    )
    op.create_index("mails_handled", "mails", ["handled_at"], unique=False)
    op.create_index("mails_message_id", "mails", ["message_id"], unique=False)
    op.create_index(
        "mails_original",
        "mails",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("duplicate_of IS NULL"),
        postgresql_where=sa.text("duplicate_of IS NULL"),
    )
    op.create_index("mails_place", "mails", ["mailbox", "uidvalidity", "uid"], unique=True)
    op.create_index(
        "mails_released",
        "mails",
        ["mailbox"],
        unique=False,
        sqlite_where=sa.text("released_from IS NOT NULL"),
        postgresql_where=sa.text("released_from IS NOT NULL"),
    )
    op.create_index("mails_sender", "mails", ["sender", "text_hash", "received_at"], unique=False)
    op.create_index("mails_ticket", "mails", ["ticket"], unique=False)
    op.create_index(
        "mails_unfiled",
        "mails",
        ["mailbox", "uid"],
        unique=False,
        sqlite_where=sa.text("filed_at IS NULL"),
        postgresql_where=sa.text("filed_at IS NULL"),
    )
    op.create_table(
        "message_ids",
        sa.Column("message_id", sa.String(length=300), nullable=False),
        sa.Column("ticket", ID, nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "ticket"),
    )
    op.create_index("message_ids_ticket", "message_ids", ["ticket"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("ticket", ID, nullable=True),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("notices_ticket", "notices", ["ticket"], unique=False)
    op.create_table(
        "promises",
        sa.Column("id", ID, nullable=False),
        sa.Column("ticket", ID, nullable=False),
        sa.Column("to_address", sa.String(length=320), nullable=False),
        sa.Column("promised_at", UTC_TIME, nullable=False),
        sa.Column("due_at", UTC_TIME, nullable=False),
        sa.Column("guaranteed", sa.Boolean(), nullable=False),
        sa.Column("pack", sa.String(length=120), nullable=False),
        sa.Column("ended_at", UTC_TIME, nullable=True),
        sa.Column("end", sa.String(length=20), nullable=True),
        sa.Column("breached_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("promises_ticket", "promises", ["ticket"], unique=False)
    op.create_table(
        "story",
        sa.Column("id", ID, nullable=False),
        sa.Column("ticket", ID, nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("story_ticket", "story", ["ticket"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("message_id", sa.String(length=300), nullable=False),
        sa.Column("ticket", ID, nullable=True),
        sa.Column("mail", ID, nullable=True),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("template", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=60), server_default="", nullable=False),
        sa.Column("pack", sa.String(length=120), server_default="", nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("queued_at", UTC_TIME, nullable=False),
        sa.Column("next_at", UTC_TIME, nullable=True),
        sa.Column("claimed_by", sa.String(length=200), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", UTC_TIME, nullable=True),
        sa.Column("failed_at", UTC_TIME, nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["mail"], ["mails.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index(
        "outbox_claimed",
        "outbox",
        ["claimed_by"],
        unique=False,
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("outbox_mail", "outbox", ["mail"], unique=False)
    op.create_index(
        "outbox_old",
        "outbox",
        ["queued_at"],
        unique=False,
        sqlite_where=sa.text("raw IS NOT NULL AND next_at IS NULL"),
        postgresql_where=sa.text("raw IS NOT NULL AND next_at IS NULL"),
    )
    op.create_index("outbox_recipient", "outbox", ["recipient", "queued_at", "ticket"], unique=False)
    op.create_index("outbox_ticket", "outbox", ["ticket"], unique=False)


def downgrade() -> None:
    for table in (
        "outbox",
        "story",
        "promises",
        "notices",
        "message_ids",
        "mails",
        "alarms",
        "tickets",
        "people",
        "meta",
        "leases",
    ):
        op.drop_table(table)
