"""What the steps know of the desk they work for: rules, partners and staff in force, and our own addresses.

The daemon puts new rules and a new partner file in their place while the steps run; each mail is decided by what is
in force when its turn comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from triage.adapters.compose import compose
from triage.adapters.db.store import Transaction
from triage.core import threads
from triage.core.clock import Rules
from triage.core.directory import Directory
from triage.core.model import Address, Desk, Email, Reply
from triage.core.replies import numbered


@dataclass(slots=True)
class Office:
    """The desk, as it stands now."""

    desk: Desk
    rules: Rules
    directory: Directory = field(default_factory=Directory)
    from_name: str = ""
    staff: tuple[str, ...] = ()  # mailboxes and @domains of the specialists
    notify: tuple[str, ...] = ()  # who gets warnings by mail

    @property
    def pack_version(self) -> str:
        manifest = self.rules.pack.manifest
        return f"{manifest.name} {manifest.version}"

    @property
    def subscriptions(self) -> frozenset[str]:
        """The deployments whose support ends with a subscription."""
        return frozenset(one.id for one in self.rules.pack.deployments if one.subscription)

    @property
    def sender(self) -> Address:
        return Address(self.desk.addresses[0], self.from_name)

    def queue(
        self,
        tx: Transaction,
        reply: Reply,
        now: datetime,
        *,
        seed: str,
        ticket: int | None = None,
        numbers: tuple[str, ...] = (),
        answers: Email | None = None,
        mail: int | None = None,
    ) -> str:
        """Put a mail of ours into the outbox. The same seed makes the same Message-ID. Returns that id."""
        number = numbers[0] if numbers else "0"
        message_id = threads.message_id(self.desk, number, f"{seed} {reply.template}")
        if numbers:
            reply = numbered(reply, *numbers)
        thread = tuple(dict.fromkeys((*answers.references, answers.message_id))) if answers else ()
        raw = compose(
            replace(reply, text=reply.text, html=reply.html),
            sender=self.sender,
            message_id=message_id,
            in_reply_to=answers.message_id if answers else "",
            references=tuple(one for one in thread if one),
            date=now,
        )
        tx.outbox.queue(
            message_id=message_id,
            ticket=ticket,
            mail=mail,
            sender=self.sender.address,
            recipient=reply.to,
            template=reply.template,
            language=reply.language,
            pack=self.pack_version,
            raw=raw,
            queued_at=now,
            next_at=now,
        )
        if ticket is not None:
            tx.tickets.remember(message_id, ticket)
        return message_id
