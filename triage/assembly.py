"""Builds the parts from the configuration: what every command shares, and what only the daemon needs.

Database and servers are loaded by the functions that need them, so that `triage explain` starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from triage import config
from triage.adapters import keys, packs, partners
from triage.adapters.holidays import holiday_dates
from triage.config import Loaded
from triage.core.clock import Rules, make_rules
from triage.core.directory import Directory
from triage.core.errors import ConfigError
from triage.core.model import Desk, Trust
from triage.core.pack import Pack

if TYPE_CHECKING:
    from triage.adapters.db.store import Store
    from triage.adapters.imap import Mailbox
    from triage.adapters.raws import Raws
    from triage.adapters.readers import Readers
    from triage.adapters.smtp import SmtpSettings
    from triage.steps.intake import Inbox
    from triage.steps.office import Office

_SEND_SECONDS = 45.0  # for one mail; shorter than the outbox's claim


def pack_folder(loaded: Loaded, on: datetime | None = None) -> Path:
    """The folder of the pack that holds on this day."""
    found = packs.find(loaded.config.rules.pack, loaded.base)
    return packs.folder_in_force(found, (on or datetime.now(UTC)).date())


def pack(loaded: Loaded) -> Pack:
    """The pack in force. Raises PackError."""
    return packs.load(pack_folder(loaded))


def rules(loaded: Loaded) -> Rules:
    """The pack in force with its calendars."""
    return make_rules(pack(loaded), holiday_dates)


def directory(loaded: Loaded, of: Pack) -> Directory:
    """The partner file; empty when none is configured."""
    file = loaded.config.partners.file
    return partners.load(loaded.path(file), of) if file else Directory()


def desk(loaded: Loaded, *, with_key: bool = False) -> Desk:
    """Our own addresses; with the key only where mail is really handled."""
    settings = loaded.config
    addresses = [settings.smtp.from_address, *(box.user for box in settings.mailbox if "@" in box.user)]
    own = tuple(dict.fromkeys(address.strip().lower() for address in addresses if address.strip()))
    lists = tuple(one for box in settings.mailbox for one in box.own_lists)
    signing = keys.load(key_file(loaded)) if with_key else (b"",)
    return Desk(own, lists, signing[0], signing[1:])


def key_file(loaded: Loaded) -> Path:
    return loaded.var / "triage.key"


def office(loaded: Loaded, of: Rules) -> Office:
    """The desk with everything in force. Raises ConfigError for what is missing."""
    from triage.steps.office import Office

    settings = loaded.config
    if not settings.smtp.from_address:
        raise ConfigError("smtp.from_address: empty; give the support address that replies come from")
    return Office(
        desk=desk(loaded, with_key=True),
        rules=of,
        directory=directory(loaded, of.pack),
        from_name=settings.smtp.from_name,
        staff=tuple(settings.staff.addresses),
        notify=tuple(settings.staff.notify),
    )


def store(loaded: Loaded, *, upgrade: bool = True) -> Store:
    """The database, brought to the present tables."""
    from triage.adapters.db import engine, migrate
    from triage.adapters.db.store import Store

    url = loaded.database_url
    if not upgrade and url.startswith("sqlite:////") and not Path(url.removeprefix("sqlite:///")).exists():
        # To make it is the daemon's: whoever asks may be another user.
        raise ConfigError(f"database: {url} is not there; it is made by the first `triage run`")
    made = engine.connect(url)
    if upgrade:
        migrate.upgrade(made)
    elif migrate.current(made) is None:
        raise ConfigError(f"database: {shown(loaded.database_url)} is empty; it is filled by the first `triage run`")
    return Store(made)


def raws(loaded: Loaded) -> Raws:
    from triage.adapters.raws import Raws

    keep = loaded.config.keep
    return Raws(loaded.var / "raw", keep.raw_days, keep.raw_megabytes)


def imap(loaded: Loaded, box: config.Mailbox) -> Mailbox:
    """A mailbox, not connected yet."""
    from triage.adapters.imap import ImapSettings, Mailbox

    if not box.host:
        raise ConfigError("mailbox.host: empty; give the IMAP server's name")
    if not box.user:
        raise ConfigError("mailbox.user: empty; give the name to log in with")
    return Mailbox(
        ImapSettings(
            host=box.host,
            port=box.actual_port,
            tls=box.tls,
            user=box.user,
            password=box.password.get_secret_value(),
            ca_file=str(loaded.path(box.ca_file)) if box.ca_file else None,
        )
    )


def smtp(loaded: Loaded) -> SmtpSettings:
    from triage.adapters.smtp import SmtpSettings

    settings = loaded.config.smtp
    if not settings.host:
        raise ConfigError("smtp.host: empty; give the name of the server that takes replies")
    return SmtpSettings(
        host=settings.host,
        port=settings.actual_port,
        tls=settings.tls,
        user=settings.user,
        password=settings.password.get_secret_value(),
        ca_file=str(loaded.path(settings.ca_file)) if settings.ca_file else None,
        connections=settings.connections,
        send_seconds=_SEND_SECONDS,
    )


def readers(loaded: Loaded, box: config.Mailbox, of: Pack) -> Readers:
    """What reads the mail of a mailbox, not started yet."""
    from triage.adapters.readers import Readers

    limits = loaded.config.limits
    ours = replace(desk(loaded, with_key=True), trust=trust(box))
    return Readers(of, ours, limits.readers, limits.seconds_per_mail)


def trust(box: config.Mailbox) -> Trust:
    return Trust(box.trusted_authserv_id, tuple(box.trusted_forwarders), tuple(box.own_lists))


def inbox(loaded: Loaded, box: config.Mailbox, since: Callable[[], datetime]) -> Inbox:
    """A mailbox as a round sees it. `since` is asked only when the configuration does not say."""
    from triage.steps.intake import Inbox

    limits = loaded.config.limits
    return Inbox(
        name=box.name,
        folder=box.folder,
        folders=box.folders.model_dump(),
        since=box.since or since(),
        max_message_bytes=limits.max_message_bytes,
        batch=limits.batch,
        trust=trust(box),
    )


def version() -> str:
    """The program's version, as installed."""
    return metadata.version("triage")


def shown(url: str) -> str:
    """A database URL without its password."""
    if url.startswith("sqlite:"):
        return url
    head, at, tail = url.partition("?")[0].rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else tail
