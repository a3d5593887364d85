"""Is the address in From proven? By what the server that we trust found out, and by nothing else.

Authentication-Results (RFC 8601): only the topmost header of the configured authserv-id counts; whatever stands below
it or names another server may have been written by the sender. Proven is a From whose domain passed DMARC, or is
aligned with a domain that passed DKIM or SPF. A forwarder that breaks DKIM is believed when it is configured, sealed
the chain last (RFC 8617), and our server found the chain whole.

The parser is tolerant (Microsoft 365 leaves out the server's name; stray semicolons) and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from triage.core.model import Address, Email, Trust

NO_NAME = "microsoft365"  # configured as authserv-id: the border server gives no name of its own

PROVEN, FORGED, UNPROVEN, NO_VERDICT, UNCHECKED = "proven", "forged", "unproven", "no-verdict", "unchecked"
VIA_LIST = "via-list"  # the defect that marks a sender read from our own group's header

_LONGEST = 8_000
_MOST_RESULTS = 64
_RESULT = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]{0,30})(?:/\d{1,3})?\s*=\s*([A-Za-z]{1,20})(?=\s|$)")
_PROPERTY = re.compile(r"(?:^|\s)([a-z]{1,20}\.[A-Za-z0-9_.-]{1,40})\s*=\s*(\"[^\"]{0,320}\"|[^\s;]{1,320})")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63}){1,10}")


@dataclass(frozen=True, slots=True)
class Result:
    """One method's finding."""

    method: str
    value: str  # pass, fail, softfail, none, temperror ...
    properties: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        return next((value for key, value in self.properties if key == name), "")


def verify(email: Email, trust: Trust) -> str:
    """proven, forged, unproven (nothing speaks for it), no-verdict (our server said nothing), or unchecked."""
    if not trust.authserv_id:
        return UNCHECKED
    if len(email.from_) != 1:
        return UNPROVEN
    domain = email.from_[0].domain
    if VIA_LIST in email.defects:
        # Our group vouches for its own headers; what it found about the original sender is in this one.
        results = _first(email.headers.get("x-original-authentication-results", ()), "")
        return _verdict(results, domain) if results else PROVEN
    results = _first(email.headers.get("authentication-results", ()), trust.authserv_id)
    if results is None:
        return NO_VERDICT
    found = _verdict(results, domain)
    if found != PROVEN and _sealed(email, results, trust.forwarders, domain):
        return PROVEN
    return found


def author(email: Email, trust: Trust) -> Email:
    """The mail with its real author, where the vendor's own group put its address into From (decision 25).

    Only when the mail carries the group's List-Id and our server vouches for it: anyone can write such headers.
    """
    if not trust.own_lists or not trust.authserv_id or not _of_list(email, trust.own_lists):
        return email
    original = next((email.header(name) for name in ("x-original-from", "x-original-sender") if email.header(name)), "")
    found = _address(original)
    if found is None or (email.from_ and found.address == email.from_[0].address):
        return email
    if verify(email, trust) != PROVEN:
        return email
    return replace(email, from_=(found,), defects=(*email.defects, VIA_LIST))


def aligned(domain: str, other: str) -> bool:
    """Relaxed alignment (RFC 7489 section 3.1): the same, or one below the other and not a mere top-level domain."""
    if not domain or not other or "." not in domain or "." not in other:
        return False
    return domain == other or domain.endswith("." + other) or other.endswith("." + domain)


def parse(value: str) -> tuple[str, tuple[Result, ...]]:
    """The server's name (lower case, "" when there is none) and what it found. Never raises."""
    parts = list(_split(_without_comments(value[:_LONGEST])))
    name = ""
    if parts and not _RESULT.match(parts[0]):
        name = parts[0].split()[0].strip('"').lower() if parts[0].split() else ""
        parts = parts[1:]
    results = []
    for part in parts[:_MOST_RESULTS]:
        match = _RESULT.match(part)
        if match:
            properties = tuple(
                (key.lower(), text.strip('"').lower()) for key, text in _PROPERTY.findall(part[match.end() :])
            )
            results.append(Result(match.group(1).lower(), match.group(2).lower(), properties))
    return name, tuple(results)


def _first(values: Sequence[str], authserv_id: str) -> tuple[Result, ...] | None:
    """The topmost header of this server; of any server when none is named. None when there is none."""
    for value in values[:50]:
        name, results = parse(value)
        if not authserv_id or name == ("" if authserv_id == NO_NAME else authserv_id.lower()):
            return results
    return None


def _verdict(results: Sequence[Result], domain: str) -> str:
    dmarc = [one for one in results if one.method == "dmarc"]
    if any(one.value in ("pass", "bestguesspass") and one.get("header.from") in ("", domain) for one in dmarc):
        return PROVEN
    for one in results:
        if one.value != "pass":
            continue
        if one.method == "dkim" and aligned(_domain(one.get("header.d") or one.get("header.i")), domain):
            return PROVEN
        if one.method == "spf" and aligned(_domain(one.get("smtp.mailfrom") or one.get("smtp.helo")), domain):
            return PROVEN
    if any(one.value in ("fail", "permerror") for one in dmarc):
        return FORGED
    if any(one.value == "temperror" for one in results):
        return NO_VERDICT
    spf = next((one for one in results if one.method == "spf"), None)
    return FORGED if spf and spf.value == "fail" else UNPROVEN


def _sealed(email: Email, results: Sequence[Result], forwarders: Sequence[str], domain: str) -> bool:
    """Whether a trusted forwarder saw the mail proven, and our server found the chain whole."""
    if not forwarders or not any(one.method == "arc" and one.value == "pass" for one in results):
        return False
    seals = [_tags(value) for value in email.headers.get("arc-seal", ())[:50]]
    last = max(seals, key=lambda tags: _number(tags.get("i", "")), default=None)
    if last is None or last.get("d", "").lower() not in {one.lower() for one in forwarders}:
        return False
    for value in email.headers.get("arc-authentication-results", ())[:50]:
        head, _, rest = value.partition(";")
        if _tags(head).get("i") == last.get("i"):
            return _verdict(parse(rest)[1], domain) == PROVEN
    return False


def _of_list(email: Email, own_lists: Sequence[str]) -> bool:
    named = email.header("list-id").lower()
    return any(one.lower().strip("<> ") in named for one in own_lists if one.strip("<> "))


def _address(text: str) -> Address | None:
    """The one address of a header value."""
    name, _, rest = text.rpartition("<")
    address = (rest.rstrip("> ") if name or text.startswith("<") else text).strip().lower()
    if address.count("@") != 1 or not _DOMAIN.fullmatch(address.partition("@")[2]) or len(address) > 320:
        return None
    return Address(address, name.strip().strip('"'))


def _domain(text: str) -> str:
    domain = text.rpartition("@")[2].strip("<>. ")
    return domain if _DOMAIN.fullmatch(domain) else ""


def _tags(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value[:_LONGEST].split(";"))
    return {key.strip().lower(): "".join(text.split()) for key, _, text in pairs if key.strip()}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _without_comments(value: str) -> str:
    """The value without (comments), which may be nested and may hold anything."""
    kept: list[str] = []
    depth, quoted, skip = 0, False, False
    for char in value:
        if skip:
            skip = False
            if not depth:
                kept.append(char)
        elif char == "\\" and (depth or quoted):
            skip = True
        elif char == '"' and not depth:
            quoted = not quoted
            kept.append(char)
        elif char == "(" and not quoted:
            depth += 1
            kept.append(" ")
        elif char == ")" and depth and not quoted:
            depth -= 1
        elif not depth:
            kept.append(char)
    return "".join(kept)


def _split(value: str) -> Iterator[str]:
    """The parts between semicolons that stand outside quotes."""
    part: list[str] = []
    quoted = False
    for char in value:
        if char == '"':
            quoted = not quoted
        if char == ";" and not quoted:
            yield "".join(part).strip()
            part = []
        else:
            part.append(char)
    yield "".join(part).strip()
