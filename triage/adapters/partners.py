"""The partner file: CSV as a spreadsheet or CRM exports it -> contacts, or every fault with its line.

Header: partner,deployment,subscription_until,address,role,language,timezone,status. Comma, semicolon or tab; UTF-8
(with or without a byte order mark), UTF-16 or Windows-1252.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from triage.adapters.free_mail import open_to_anybody
from triage.core.clock import end_of_day
from triage.core.directory import Directory
from triage.core.errors import ConfigError, Fault
from triage.core.model import Contact
from triage.core.pack import Pack
from triage.core.text import ascii_domain, one_line

COLUMNS = ("partner", "deployment", "subscription_until", "address", "role", "language", "timezone", "status")
_REQUIRED = ("partner", "deployment", "address")
_ROLES, _STATUSES = ("partner", "technician"), ("active", "suspended")
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d")
Wrong = Callable[[str, str], None]  # column, message
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63}){1,10}")
_LONGEST_NAME = 200


def load(file: Path, pack: Pack) -> Directory:
    """The directory of a partner file. Raises ConfigError with every fault, a line each."""
    try:
        contacts, faults = read(file, pack)
    except ConfigError as error:
        raise ConfigError(f"{error}; set [partners] file to the CSV") from None
    if faults:
        raise ConfigError("\n".join(str(fault) for fault in faults))
    return Directory(contacts)


def read(file: Path, pack: Pack) -> tuple[list[Contact], list[Fault]]:
    """The contacts, and every fault. Raises ConfigError when the file cannot be read at all."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    if not raw.strip():
        return [], [Fault(file.name, "line 1", f"the file is empty; it begins with {','.join(COLUMNS)}")]
    text = _decode(raw)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    contacts: list[Contact] = []
    faults: list[Fault] = []
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        faults += _header_faults(file.name, header)
        if faults:
            return [], faults
        seen: dict[tuple[str, str, str], int] = {}
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            found = _contact(file.name, rows.line_num, header, cells, pack, faults)
            if found is None:
                continue
            key = (found.partner, found.deployment, found.address)
            if key in seen:
                faults.append(
                    Fault(file.name, f"line {rows.line_num}", f"{found.address} stands in line {seen[key]} too")
                )
            seen[key] = rows.line_num
            contacts.append(found)
    except csv.Error as error:
        faults.append(Fault(file.name, f"line {rows.line_num}", f"not valid CSV: {error}"))
    if not contacts and not faults:
        faults.append(Fault(file.name, "", "no contact in it: below the header, a line for each address"))
    return contacts, faults


def _header_faults(file: str, header: list[str]) -> Iterator[Fault]:
    for column in header:
        if column and column not in COLUMNS:
            close = difflib.get_close_matches(column, COLUMNS, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(COLUMNS)}"
            yield Fault(file, "line 1", f"no such column {column!r}; {hint}")
        elif column and header.count(column) > 1:
            yield Fault(file, "line 1", f"column {column!r} is there twice; leave one of them out")
            return
    for column in _REQUIRED:
        if column not in header:
            yield Fault(file, "line 1", f"column {column!r} is missing; the header is {','.join(COLUMNS)}")


def _contact(
    file: str, line: int, header: list[str], cells: list[str], pack: Pack, faults: list[Fault]
) -> Contact | None:
    """One line; None when something in it is wrong."""
    before = len(faults)
    row = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if column}

    def wrong(column: str, message: str) -> None:
        faults.append(Fault(file, f"line {line}", f"{column}: {message}"))

    if any(cell.strip() for cell in cells[len(header) :]):
        wrong("line", f"{len(cells)} cells, but the header has {len(header)}")
    partner = one_line(row.get("partner", ""), _LONGEST_NAME + 1)
    if not partner:
        wrong("partner", "empty; give the partner's name")
    elif len(partner) > _LONGEST_NAME:
        wrong("partner", f"longer than {_LONGEST_NAME} characters")
    deployment = row.get("deployment", "").lower().replace("-", "_").replace(" ", "_")
    if deployment not in pack.deployment_by_id:
        wrong("deployment", f"{row.get('deployment', '')!r} is none of {', '.join(pack.deployment_by_id)}")
    address = _address(row.get("address", ""), wrong)
    until = _until(row.get("subscription_until", ""), deployment, pack, wrong)
    role = row.get("role", "").lower() or "partner"
    _one_of("role", role, _ROLES, wrong)
    status = row.get("status", "").lower() or "active"
    _one_of("status", status, _STATUSES, wrong)
    language = row.get("language", "").lower()
    if language:
        _one_of("language", language, pack.manifest.languages, wrong)
    zone = row.get("timezone", "")
    if zone and not _zone_exists(zone):
        wrong("timezone", f"{zone!r} is not an IANA time zone such as America/Mexico_City")
    if len(faults) > before:
        return None
    return Contact(partner, deployment, address, role, until, language, zone, status)


def _address(text: str, wrong: Wrong) -> str:
    local, at, domain = text.strip().lower().rpartition("@")
    try:
        domain = ascii_domain(domain)
    except ValueError:
        domain = ""
    if not at or not _DOMAIN.fullmatch(domain) or (local and not _LOCAL.fullmatch(local)):
        wrong("address", f"{text!r} is neither a mailbox (ana@partner.example) nor a domain (@partner.example)")
        return ""
    if not local and open_to_anybody(domain):
        wrong("address", f"@{domain} gives mailboxes to anybody; list the partner's own addresses there, one a line")
    return f"{local}@{domain}"


def _until(text: str, deployment: str, pack: Pack, wrong: Wrong) -> datetime | None:
    plan = pack.deployment_by_id.get(deployment)
    if not text:
        if plan and plan.subscription:
            wrong("subscription_until", f"empty; {deployment} needs the last day of the subscription, as 2026-12-31")
        return None
    for form in _DATES:
        try:
            parsed: date = datetime.strptime(text, form).date()
        except ValueError:
            continue
        return end_of_day(parsed)
    wrong("subscription_until", f"{text!r} is not a date; write it as 2026-12-31")
    return None


def _one_of(column: str, value: str, known: Collection[str], wrong: Wrong) -> None:
    if value not in known:
        close = difflib.get_close_matches(value, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        wrong(column, f"{value!r} is none of {', '.join(known)}{hint}")


def _zone_exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _decode(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")  # "Unicode text" of a spreadsheet
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)
