"""The partner file: CSV as a spreadsheet or CRM exports it -> contacts, or every fault with its line.

Header: partner,deployment,subscription_until,address,role,language,timezone,status. Comma, semicolon or tab; UTF-8
(with or without a byte order mark) or Windows-1252.
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

from triage.core.clock import end_of_day
from triage.core.directory import Directory
from triage.core.errors import ConfigError, Fault
from triage.core.model import Contact
from triage.core.pack import Pack

COLUMNS = ("partner", "deployment", "subscription_until", "address", "role", "language", "timezone", "status")
_REQUIRED = ("partner", "deployment", "address")
_ROLES, _STATUSES = ("partner", "technician"), ("active", "suspended")
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d")
Wrong = Callable[[str, str], None]  # column, message
_MAILBOX = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]{1,255}")

# Anyone can have an address there: such a domain never stands for one partner.
FREE_MAIL = frozenset(
    (
        "gmail.com googlemail.com outlook.com outlook.es hotmail.com hotmail.es live.com msn.com "
        "yahoo.com yahoo.es yahoo.com.mx yahoo.com.ar yahoo.com.br yahoo.co.uk ymail.com rocketmail.com "
        "aol.com icloud.com me.com mac.com proton.me protonmail.com pm.me gmx.com gmx.net gmx.de gmx.es "
        "web.de mail.com mail.ru inbox.ru list.ru bk.ru yandex.ru yandex.com ya.ru rambler.ru zoho.com "
        "tutanota.com tuta.com fastmail.com hey.com qq.com 163.com 126.com sina.com foxmail.com "
        "naver.com daum.net hanmail.net terra.com.br uol.com.br bol.com.br ig.com.br libero.it orange.fr "
        "wanadoo.fr free.fr laposte.net sfr.fr t-online.de telefonica.net ono.com terra.es "
        "prodigy.net.mx live.com.mx live.com.ar hotmail.com.ar hotmail.com.mx hotmail.com.br hotmail.fr "
        "hotmail.it hotmail.co.uk rediffmail.com btinternet.com comcast.net verizon.net att.net cox.net"
    ).split()
)


def load(file: Path, pack: Pack) -> Directory:
    """The directory of a partner file. Raises ConfigError with every fault, a line each."""
    contacts, faults = read(file, pack)
    if faults:
        raise ConfigError("\n".join(str(fault) for fault in faults))
    return Directory(contacts)


def read(file: Path, pack: Pack) -> tuple[list[Contact], list[Fault]]:
    """The contacts, and every fault. Raises ConfigError when the file cannot be read at all."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; set [partners] file to the CSV") from None
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


def ascii_domain(domain: str) -> str:
    """A domain as it stands on the wire (IDNA); in lower case. Raises ValueError when it is none."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{domain!r} is not a domain") from error


def _header_faults(file: str, header: list[str]) -> Iterator[Fault]:
    for column in header:
        if column and column not in COLUMNS:
            close = difflib.get_close_matches(column, COLUMNS, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(COLUMNS)}"
            yield Fault(file, "line 1", f"no such column {column!r}; {hint}")
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

    if len([cell for cell in cells if cell.strip()]) > len(header):
        wrong("line", f"{len(cells)} cells, but the header has {len(header)}")
    if not row.get("partner"):
        wrong("partner", "empty; give the partner's name")
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
    return Contact(row["partner"], deployment, address, role, until, language, zone, status)


def _address(text: str, wrong: Wrong) -> str:
    address = text.strip().lower()
    local, at, domain = address.rpartition("@")
    if not at or "." not in domain or (local and not _MAILBOX.fullmatch(address)) or " " in address:
        wrong("address", f"{text!r} is neither a mailbox (ana@partner.example) nor a domain (@partner.example)")
        return ""
    try:
        domain = ascii_domain(domain)
    except ValueError as error:
        wrong("address", str(error))
        return ""
    if not local and domain in FREE_MAIL:
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
    except (OSError, ValueError):
        return False
    return True


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)
