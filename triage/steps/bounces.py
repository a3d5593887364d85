"""A bounce: it marks the contact and tells staff, and starts nothing (decision 24).

Only a bounce that names a mail of ours, by the keyed id that nobody else can make, says anything about anybody: a
forged one marks no contact.
"""

from __future__ import annotations

import re

from triage.adapters.db.store import Transaction
from triage.core import directory, threads
from triage.core.model import Email
from triage.steps.office import Office
from triage.steps.telling import Telling

_ID = re.compile(r"<triage\.[0-9]{1,12}\.[0-9a-f]{16}\.[0-9a-f]{20}@[A-Za-z0-9.\-]{1,200}>")
_LONGEST = 100_000  # characters of the returned mail that are searched for our id


def note(tx: Transaction, email: Email, office: Office, telling: Telling) -> None:
    """Note whom our mail did not reach. A notice of delay is no failure."""
    if email.report_fields.get("action", "failed").lower() in ("delayed", "relayed", "delivered", "expanded"):
        return
    returned = [one for one in _candidates(email) if threads.own(one, office.desk)]
    status = email.report_fields.get("status", "")[:40]
    for mail in tx.outbox.by_message_ids(returned):
        if not status.startswith("4"):  # a mailbox that is full today is no wrong address
            tx.people.note(mail["recipient"], bounced_at=telling.now, bounce=status or "bounced")
        keys = {"to": mail["recipient"], "reply": mail["message_id"], "status": status or None}
        if not directory.listed(mail["recipient"], (*office.notify, *office.staff)):
            # A notice of a notice that came back would come back as well, and so on for ever: the log has it.
            tx.notices.add(telling.now, "bounce", mail["ticket"], {"to": mail["recipient"], "status": status})
        if mail["ticket"]:
            telling.about(tx, mail["ticket"], "mail.bounced", **keys)
        else:
            telling.event("mail.bounced", **keys)


def _candidates(email: Email) -> list[str]:
    """Message-IDs that the bounce may speak of."""
    texts = [*email.report_fields.values(), *email.forwarded, email.text]
    found = [*threads.references(email)]
    for text in texts:
        found += _ID.findall(text[:_LONGEST])
    return list(dict.fromkeys(found))[:20]
