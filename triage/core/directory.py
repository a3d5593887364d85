"""Who is this sender: the partner file, looked up by the address in From and nothing else.

Exact address before domain; a plus tag is ignored when the address with its tag is not listed; case does not count; a
domain does not stand for those below it. Domains are compared in their ASCII form, so that a look-alike in other
letters is another domain. Display name, Reply-To and Sender say nothing about who somebody is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from triage.core import authenticity
from triage.core.model import Address, Contact, Email, Sender

AUTHORIZED, UNKNOWN, UNAUTHENTICATED = "authorized", "unknown", "unauthenticated"
STRANGER = "not-a-partner"  # why an unknown sender is refused
SUSPENDED, UNSUBSCRIBED = "suspended", "unsubscribed"

# What may stand in an envelope as it is: no quotes, no letters outside ASCII, no host of ours such as root@localhost.
_WRITABLE = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}")


class Directory:
    """All contacts of all partners."""

    def __init__(self, contacts: Iterable[Contact] = ()) -> None:
        self._by_address: dict[str, list[Contact]] = {}
        self._by_partner: dict[str, list[Contact]] = {}
        for contact in contacts:
            self._by_address.setdefault(contact.address, []).append(contact)
            self._by_partner.setdefault(contact.partner, []).append(contact)

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._by_address.values())

    def contacts(self, address: str) -> tuple[Contact, ...]:
        """Every entry for an address (lower case): its own, else without its plus tag, else of its domain."""
        local, _, domain = address.rpartition("@")
        if not local or not domain:
            return ()
        for key in (address, untagged(address), "@" + domain):
            if key in self._by_address:
                return tuple(self._by_address[key])
        return ()

    def of_partner(self, partner: str) -> tuple[Contact, ...]:
        """Every entry of a partner."""
        return tuple(self._by_partner.get(partner, ()))

    def partners(self) -> tuple[str, ...]:
        """The names of all partners."""
        return tuple(self._by_partner)


def untagged(address: str) -> str:
    """ana+gps@x.example -> ana@x.example: the mailbox behind an address."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def writable(address: str) -> bool:
    """Whether somebody with this address can be written to."""
    return _WRITABLE.fullmatch(address) is not None


def listed(address: str, entries: Iterable[str]) -> bool:
    """Whether an address is among mailboxes or @domains, plus tags aside."""
    local, _, domain = address.rpartition("@")
    return bool(local) and bool({address, untagged(address), "@" + domain} & set(entries))


def identify(
    email: Email,
    directory: Directory,
    now: datetime,
    *,
    deployments_with_subscription: frozenset[str] = frozenset(),
    staff: Iterable[str] = (),
    verified: str = authenticity.UNCHECKED,
    own: Iterable[str] = (),
) -> Sender:
    """The sender of a mail and whether he may ask.

    `verified` is what core/authenticity.py found. Where senders are checked, only a proven address may ask: one of
    which nothing is known is held, one that is not proven is refused. `own` are our own addresses: nobody who
    writes from there is told anything, for it would come back to us, unless `staff` names the very address: then
    specialists answer in its name.
    """
    addresses = email.from_
    doubt = _doubt(email)
    if doubt:
        first = addresses[0] if addresses else Address("")
        return Sender(first.address, first.name, UNAUTHENTICATED, verified=verified, reason=doubt)
    address, name = addresses[0].address, addresses[0].name
    staff = tuple(staff)
    if untagged(address) in {untagged(one) for one in own} and untagged(address) not in staff:
        return Sender(address, name, UNAUTHENTICATED, verified=verified, reason="own-address")
    if verified not in (authenticity.PROVEN, authenticity.UNCHECKED):
        return Sender(address, name, UNAUTHENTICATED, verified=verified, reason=verified)
    if listed(address, staff):
        return Sender(address, name, AUTHORIZED, staff=True, verified=verified, reason="staff")
    contacts = directory.contacts(address)
    if not contacts:
        return Sender(address, name, UNKNOWN, verified=verified, reason=STRANGER)
    status = AUTHORIZED
    usable = tuple(one for one in contacts if one.status != "suspended")
    if not usable:
        status, usable = SUSPENDED, contacts
    else:
        paid = tuple(one for one in usable if not _lapsed(one, now, deployments_with_subscription))
        status, usable = (AUTHORIZED, paid) if paid else (UNSUBSCRIBED, usable)
    partners = tuple(dict.fromkeys(one.partner for one in usable))
    return Sender(address, name, status, partners[0], usable, False, verified, status if status != AUTHORIZED else "")


def assumed(email: Email, deployment: str) -> Sender:
    """The sender as if he were an authorized partner with this deployment: to see what would be decided then."""
    first = email.from_[0] if email.from_ else Address("")
    doubt = _doubt(email)
    if doubt:
        return Sender(first.address, first.name, UNAUTHENTICATED, reason=doubt)
    contact = Contact(partner=first.domain, deployment=deployment, address=first.address)
    return Sender(first.address, first.name, AUTHORIZED, first.domain, (contact,))


def _doubt(email: Email) -> str:
    """Why it cannot be said whose address stands in From; "" when it can."""
    if len(email.from_) > 1 or "several-from" in email.defects:
        return "several-from"
    if not email.from_ or not email.from_[0].address:
        return "no-from"
    return "bad-from" if "bad-from" in email.defects else ""


def _lapsed(contact: Contact, now: datetime, deployments_with_subscription: frozenset[str]) -> bool:
    if contact.deployment not in deployments_with_subscription:
        return False
    return contact.subscription_until is None or contact.subscription_until < now
