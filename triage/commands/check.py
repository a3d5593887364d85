"""`triage check`: is everything in order? One line each, with the way to mend what is not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from triage import assembly, events, permissions
from triage.adapters import keys, packs
from triage.adapters.db import engine, migrate
from triage.adapters.free_mail import open_to_anybody
from triage.adapters.smtp import Mailer
from triage.cli import Context
from triage.config import Loaded, Mailbox
from triage.core.errors import Temporary, TriageError
from triage.core.pack import Pack
from triage.core.text import one_line

_LEAST_ROOM = 1_000_000  # octets: less is no room for another mail


@dataclass(slots=True)
class _Findings:
    """Lines as they are found, and whether any of them is bad."""

    bad: bool = False

    def ask(self, name: str, question: Callable[[], str]) -> None:
        """One thing to be checked: its answer is `ok`, an error is said in its place."""
        try:
            said = question()
        except TriageError as error:
            self.bad = True
            for line in str(error).split("\n"):
                self._say(name, "WRONG", line)
            return
        self._say(name, "ok", said)

    def warn(self, name: str, said: str) -> None:
        self._say(name, "note", said)

    def _say(self, name: str, word: str, said: str) -> None:
        """What servers answer is shown in one line, and repeats no password."""
        click.echo(f"{name:<14} {word:<6} {one_line(events.blotted(said), 1000)}")


@click.command()
@click.option("--offline", is_flag=True, help="Leave out the mail servers.")
@click.pass_obj
def check(context: Context, offline: bool) -> None:
    """Check configuration, rules, partners, database, and the log-in to the mail servers.

    \b
    triage --config /etc/triage.toml check
    triage check --offline
    """
    loaded: Loaded = context.loaded
    events.hide(*loaded.secrets)
    findings = _Findings()
    click.echo(f"{'configuration':<14} ok     {loaded.file or 'environment'}")
    found: list[Pack] = []
    findings.ask("rules", lambda: _rules(loaded, found))
    for version in _to_come(loaded):
        findings.ask("rules to come", lambda one=version: _in_order(one))  # type: ignore[misc]
    if found:
        findings.ask("partners", lambda: _partners(loaded, found[0]))
    findings.ask("staff", lambda: _staff(loaded))
    findings.ask("database", lambda: _database(loaded))
    findings.ask("key", lambda: _key(loaded))
    findings.ask("log", lambda: _log(loaded))
    for note in _notes(loaded):
        findings.warn(*note)
    if offline:
        for note in _unset(loaded):
            findings.warn(*note)
    else:
        for box in loaded.config.mailbox:
            findings.ask("mailbox", lambda box=box: _mailbox(loaded, box))  # type: ignore[misc]
        findings.ask("smtp", lambda: _smtp(loaded))
    if findings.bad:
        raise click.exceptions.Exit(1)


def _rules(loaded: Loaded, found: list[Pack]) -> str:
    folder = assembly.pack_folder(loaded)
    pack = packs.load(folder)
    found.append(pack)
    manifest = pack.manifest
    return f"{manifest.name} {manifest.version}, in force since {manifest.in_force}, from {folder}"


def _to_come(loaded: Loaded) -> tuple[packs.Version, ...]:
    """Versions whose day has not come: faults are better known before it than on it."""
    today = datetime.now(UTC).date()
    try:
        folder = packs.find(loaded.config.rules.pack, loaded.base)
        return tuple(one for one in packs.versions(folder) if one.in_force > today)
    except TriageError:
        return ()  # told by the question about the rules


def _in_order(version: packs.Version) -> str:
    manifest = packs.load(version.folder).manifest
    return f"{manifest.name} {manifest.version}, in force from {manifest.in_force}, from {version.folder}"


def _partners(loaded: Loaded, pack: Pack) -> str:
    if not loaded.config.partners.file:
        raise TriageError("no partner file: set [partners] file; without it every sender is a stranger")
    directory = assembly.directory(loaded, pack)
    return f"{len(directory.partners())} partners, {len(directory)} addresses"


def _staff(loaded: Loaded) -> str:
    staff = loaded.config.staff
    shared = [one for one in staff.addresses if one.startswith("@") and open_to_anybody(one[1:])]
    if shared:
        raise TriageError(
            f"staff.addresses: {', '.join(shared)} gives mailboxes to anybody; list single addresses there"
        )
    return f"{len(staff.addresses)} entries, {len(staff.notify)} get warnings by mail"


def _database(loaded: Loaded) -> str:
    url = assembly.shown(loaded.database_url)
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:////") else None
    if file is None and url.startswith("sqlite:"):
        raise TriageError("database.url: a database in memory forgets every promise; name a file")
    if file is not None:
        _room(file)
        if not file.exists():
            _could_be_made("database.url", file)
            return f"{url}: made by the first `triage run`"
    made = engine.connect(loaded.database_url)
    try:
        version = migrate.current(made)
        with engine.translated(), made.begin():
            pass  # a writing transaction says whether we may write
    except Temporary as error:
        raise TriageError(f"{error}; is it running, is database.url right?") from None
    finally:
        made.dispose()
    if version is not None and version > migrate.HEAD:
        raise TriageError(f"database: its tables are of version {version}: install the newer program")
    if version is not None and version < migrate.HEAD:
        return f"{url}: tables of version {version}, brought to {migrate.HEAD} by the next `triage run`"
    return f"{url}: " + (f"tables of version {version}" if version else "empty, filled by the first `triage run`")


def _room(file: Path) -> None:
    """Raises TriageError when there is no room for another mail beside this file."""
    folder = next(parent for parent in file.parents if parent.is_dir())
    room = os.statvfs(folder)
    left = room.f_bavail * room.f_frsize
    if left < _LEAST_ROOM:
        raise TriageError(f"the disk is full: {left // 1000} kB left for {file.parent}; free some, or lower [keep]")


def _could_be_made(key: str, file: Path) -> None:
    """Makes a file and takes it away again: whoever checks need not be the user of the daemon."""
    made: list[Path] = []
    try:
        for folder in reversed([one for one in file.parents if not one.exists()]):
            folder.mkdir()
            made.append(folder)
        file.touch(exist_ok=False)
        made.append(file)
    except OSError as error:
        mend = "name a file that the daemon may write"
        raise TriageError(f"{key}: {file} cannot be made: {error.strerror}; {mend}") from None
    finally:
        for one in reversed(made):
            one.rmdir() if one.is_dir() else one.unlink()


def _key(loaded: Loaded) -> str:
    file = assembly.key_file(loaded)
    if not file.exists():
        return f"{file}: made by the first `triage run`"
    return f"{file}: {len(keys.load(file))} in use"


def _log(loaded: Loaded) -> str:
    target = loaded.config.log.file
    if target == "-":
        return "standard output"
    path = loaded.path(target)
    _room(path)
    if not path.exists():
        _could_be_made("log.file", path)
        return f"{path}: made by the first `triage run`"
    try:
        events.make_file(path)
    except OSError as error:
        raise TriageError(
            f"log.file: {path} cannot be written: {error.strerror}; name a file that the daemon may write"
        ) from None
    return str(path)


def _notes(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """What is not wrong, but should be known."""
    for said in permissions.exposed(loaded):
        yield "permissions", said
    for box in loaded.config.mailbox:
        if box.own_lists and not box.trusted_authserv_id:
            yield (
                "senders",
                f"{box.name}: nothing vouches for mailbox.own_lists without mailbox.trusted_authserv_id; mail whose "
                "sender the group rewrote is refused",
            )
        if not box.trusted_authserv_id:
            yield (
                "senders",
                f"{box.name}: not verified, anyone can write in a partner's name; set mailbox.trusted_authserv_id to "
                "the name with which your mail server begins its Authentication-Results",
            )
    if loaded.config.smtp.tls == "none" and loaded.config.smtp.host not in ("127.0.0.1", "::1", "localhost"):
        yield "smtp", "mail and password leave unencrypted; set smtp.tls to starttls or implicit"


def _unset(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """What the daemon cannot do without, where the servers themselves are not asked."""
    for box in loaded.config.mailbox:
        for key, value in (("host", box.host), ("user", box.user)):
            if not value:
                yield "mailbox", f"mailbox.{key}: empty; `triage run` needs it"
    for key, value in (("host", loaded.config.smtp.host), ("from_address", loaded.config.smtp.from_address)):
        if not value:
            yield "smtp", f"smtp.{key}: empty; `triage run` needs it"


def _mailbox(loaded: Loaded, box: Mailbox) -> str:
    mailbox = assembly.imap(loaded, box)
    try:
        mailbox.connect()
        status = mailbox.select(box.folder)
        if status.readonly:
            raise TriageError(f"{box.name}: {box.folder} is read-only; give {box.user} the right to move mail")
        for folder in dict.fromkeys(box.folders.model_dump().values()):
            mailbox.ensure_folder(folder)
        if box.sent_folder:
            mailbox.select(box.sent_folder)
    finally:
        mailbox.close()
    return f"{box.name}: {status.exists} mails"


def _smtp(loaded: Loaded) -> str:
    settings = assembly.smtp(loaded)
    if not loaded.config.smtp.from_address:
        raise TriageError("smtp.from_address: empty; give the support address that replies come from")

    async def ask() -> None:
        async with Mailer(settings) as mailer:
            await mailer.check(loaded.config.smtp.from_address)

    asyncio.run(ask())
    return f"{settings.host}:{settings.port} takes mail from {loaded.config.smtp.from_address}"
