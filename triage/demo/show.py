"""The demo: sample mail comes in, the real daemon reads and answers it, and an account of it is printed."""

from __future__ import annotations

import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from importlib import resources
from pathlib import Path
from typing import Any

import click

from triage import config, events, report, start
from triage.adapters.db import engine
from triage.adapters.db.store import Store
from triage.core.threads import bare_subject
from triage.demo.servers import PASSWORD, USER, Servers, running

_CONFIG = """\
# The configuration of the demo. The mail server lived inside the demo's process and is gone.
[mailbox]
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "{user}"
password = "{password}"
since = 2020-01-01T00:00:00Z
sent_folder = "Sent"

[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
from_address = "support@vendor.example"
from_name = "Vendor Support"

[partners]
file = "partners.csv"

[staff]
addresses = ["@vendor.example"]
notify = ["lead@vendor.example"]

[log]
file = "triage.log"
"""


def show(folder: Path | None = None) -> Path:
    """Run the demo. Returns the folder that it leaves for inspection."""
    folder = folder or Path(tempfile.mkdtemp(prefix="triage-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    first, then = _samples()
    started = time.monotonic()
    with running() as servers:
        loaded = _configure(folder, servers)
        events.set_up(loaded.path("triage.log"), "info")
        click.echo(f"{len(first)} mails lie in the support mailbox. The daemon reads them ...")
        servers.deliver([raw for _, raw in first])
        start.run(loaded, once=True)
        answers = _answers(folder, first, then, servers.taken)
        click.echo(f"Two partners answer ({len(answers)} mails). The daemon reads on ...")
        servers.deliver([raw for _, raw in answers])
        start.run(loaded, once=True)
        _save(folder, [*first, *answers], servers.taken)
    _account(folder, [*first, *answers], servers.taken)
    click.echo(f"\nIt took {time.monotonic() - started:.1f} s. Everything lies in {folder}:")
    click.echo("  in/ the mails, out/ the answers, triage.log, var/, partners.csv, config.toml")
    command = f"{_program()} --config {folder}/config.toml"
    for words, shown in (
        ("log", "the log, readably"),
        ("tickets --all", "the tickets"),
        ("show 1001", "one ticket's story"),
    ):
        click.echo(f"  {command} {words:<14} {shown}")
    return folder


_TELLING = ("request_type", "service", "out_of_scope", "severity", "courtesy", "kind")
Sample = tuple[str, bytes]


def _program() -> str:
    """How this program is called from here."""
    called = Path(sys.argv[0])
    if called.name != "triage":
        return "triage"
    here = Path.cwd()
    return str(called.relative_to(here)) if called.is_absolute() and called.is_relative_to(here) else str(called)


def _samples() -> tuple[list[Sample], list[Sample]]:
    """The sample mails by name; those that begin with "z" answer our replies."""
    folder = resources.files("triage.demo") / "mails"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".eml")), key=lambda file: file.name)
    read = [
        (file.name.removesuffix(".eml"), file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        for file in files
    ]
    return [one for one in read if not one[0].startswith("z")], [one for one in read if one[0].startswith("z")]


def _configure(folder: Path, servers: Servers) -> config.Loaded:
    partners = resources.files("triage.demo") / "partners.csv"
    (folder / "partners.csv").write_bytes(partners.read_bytes())
    file = folder / "config.toml"
    file.touch(mode=0o600)
    file.write_text(_CONFIG.format(imap=servers.imap_port, smtp=servers.smtp_port, user=USER, password=PASSWORD))
    return config.load(file, {})


def _answers(folder: Path, first: list[Sample], then: list[Sample], taken: list[bytes]) -> list[Sample]:
    """The second mails, as answers to what the daemon replied to the first."""
    replies = {_header(raw, "In-Reply-To"): raw for raw in taken}
    by_name = {name: _header(raw, "Message-ID") for name, raw in first}
    made = []
    for name, raw in then:
        reply = replies.get(by_name[_header(raw, "X-Answers")], b"")
        head = f"In-Reply-To: {_header(reply, 'Message-ID')}\r\nSubject: {_header(reply, 'Subject')}\r\n"
        lines = [line for line in raw.split(b"\r\n") if not line.startswith(b"X-Answers:")]
        made.append((name, head.encode() + b"\r\n".join(lines)))
    return made


def _save(folder: Path, samples: list[Sample], taken: list[bytes]) -> None:
    for name, mails in (("in", samples), ("out", [(f"{number:02}", raw) for number, raw in enumerate(taken, 1)])):
        (folder / name).mkdir(exist_ok=True)
        for file, raw in mails:
            (folder / name / f"{file}.eml").write_bytes(raw)


def _account(folder: Path, samples: list[Sample], taken: list[bytes]) -> None:
    """What came in, what was decided and why, what went out, and which clocks run."""
    store = Store(engine.connect(f"sqlite:///{folder}/var/triage.db"))
    replies = {_header(raw, "In-Reply-To"): raw for raw in taken}
    with store.look() as tx:
        for number, (_, raw) in enumerate(samples, 1):
            message_id = _header(raw, "Message-ID")
            known = tx.mails.by_message_ids([message_id]) if message_id else []
            _one(number, raw, known[0] if known else None, replies.get(message_id))
        rows = tx.tickets.select(limit=100)
    store.close()
    _title("The tickets and their clocks")
    click.echo(report.ticket_table(rows, width=_width()))
    to_staff = [raw for raw in taken if "lead@vendor.example" in _header(raw, "To")]
    for raw in to_staff:
        _title(f"To staff: {_header(raw, 'Subject')}")
        click.echo(_indented(_text(raw), "  "))


def _one(number: int, raw: bytes, known: Any, reply: bytes | None) -> None:
    _title(
        f"{number}. {_header(raw, 'From') or '(no sender)'}: {bare_subject(_header(raw, 'Subject')) or '(no subject)'}"
    )
    click.echo(_indented(_beginning(_text(raw)), "  > "))
    if known is None:
        click.secho("  quarantined: it cannot be understood, a person looks at it", fg="yellow")
        return
    reading = known.reading or {}
    labels = ", ".join(
        f"{key} {reading[key]}"
        for key in ("kind", "language", "request_type", "service", "severity")
        if reading.get(key)
    )
    click.echo("\n" + _said("read as", labels or known.kind))
    because = _because(reading.get("evidence", []))
    if because:
        click.echo(_said("because", "; ".join(because)))
    colour: Callable[[str], str | None] = {"ready": "green", "waiting": "yellow"}.get
    decided = f"{reading.get('state', 'handled')} ({', '.join(reading.get('reasons', []))}), filed in {known.folder}"
    click.secho(_said("decided", decided), fg=colour(known.folder, "cyan"))  # type: ignore[call-arg]
    if reply is None:
        click.echo("  no reply")
        return
    click.echo(_said("replied", _header(reply, "Subject")) + "\n")
    click.echo(_indented(_text(reply).strip(), "  | "))


def _because(evidence: list[list[str]]) -> list[str]:
    """The words that led to the labels, label by label, with the clause where there is one."""
    shown: dict[str, list[str]] = {}
    for rule, clause, words in evidence:
        label = next((one for one in _TELLING if f".{one}." in f".{rule}."), "" if clause == "reading" else "rules")
        if label and not rule.startswith("learned.") and words != "absent" and len(shown.setdefault(label, [])) < 3:
            shown[label].append(f'"{words}"' + (f" ({clause})" if clause != "reading" else ""))
    missing = [rule.removeprefix("required.") for rule, _, words in evidence if words == "absent"]
    lines = [f"{label} {', '.join(dict.fromkeys(words))}" for label, words in shown.items() if words]
    return [*lines, *([f"not given: {', '.join(missing)}"] if missing else [])]


def _title(text: str) -> None:
    lines = textwrap.wrap(text, _width())
    click.secho("\n" + "\n".join(lines), bold=True)
    click.echo("-" * max(map(len, lines)))


def _said(word: str, text: str) -> str:
    """A word in the margin and what it introduces, as wide as the terminal."""
    margin = " " * 12
    return textwrap.fill(
        text, _width(), initial_indent=f"  {word:<10}", subsequent_indent=margin, break_on_hyphens=False
    )


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 100) if sys.stdout.isatty() else 100


def _header(raw: bytes, name: str) -> str:
    value = message_from_bytes(raw, policy=policy.compat32).get(name, "")
    from email.header import decode_header, make_header

    try:
        return " ".join(str(make_header(decode_header(str(value)))).split())
    except (LookupError, ValueError):
        return " ".join(str(value).split())


def _text(raw: bytes) -> str:
    from triage.adapters.mime import parse

    return parse(raw).text


def _beginning(text: str, lines: int = 8) -> str:
    kept = text.strip().split("\n")
    return "\n".join(kept[:lines] + (["..."] if len(kept) > lines else []))


def _indented(text: str, mark: str) -> str:
    room = _width() - len(mark)
    lines = (
        textwrap.wrap(line, room, break_on_hyphens=False, subsequent_indent="  " if line[:2] == "- " else "") or [""]
        for line in text.rstrip().split("\n")
    )
    return "\n".join((mark + line).rstrip() for wrapped in lines for line in wrapped)
