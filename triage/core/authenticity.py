"""Is the address in From proven? By what the server that we trust found out, and by nothing else.

Authentication-Results (RFC 8601): only the topmost header of the configured authserv-id counts; whatever stands below
it or names another server may have been written by the sender. Proven is a From whose domain passed DMARC, or is
aligned with a domain that passed DKIM or SPF, unless DMARC failed. A forwarder that breaks DKIM is believed when it is
configured, sealed the chain last (RFC 8617), and our server found the chain whole.

The server repeats in this header what the sender chose: his envelope address, his selectors. So it is read by a
scanner that knows quotes and comments, and a header that can be read in two ways proves nothing. Everything is
bounded, and nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from triage.core.model import Address, Email, Trust
from triage.core.text import ascii_domain

NO_NAME = "microsoft365"  # configured as authserv-id: the border server gives no name of its own

PROVEN, FORGED, UNPROVEN, NO_VERDICT, UNCHECKED = "proven", "forged", "unproven", "no-verdict", "unchecked"
VIA_LIST = "via-list"  # the defect that marks a sender read from our own group's header

_LONGEST = 16_384  # characters of one header: what the parser lets through
_MOST_RESULTS = 64
_SIGNERS = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom", "smtp.helo")}
_MOST_HEADERS = 50
_RESULT = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,30})(?:/\d{1,3})?\s{0,9}=\s{0,9}([A-Za-z]{1,20})(?=\s|$)")
_PROPERTY = re.compile(r"(?:^|\s)([A-Za-z]{1,20}\.[A-Za-z0-9_.-]{1,40}|reason)\s{0,9}=\s{0,9}([^\s=][^\s]{0,319})")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63}){1,10}")
_PLAIN = re.compile(r"[\w.@+=/:-]{1,320}")
# Under such a name are everybody's domains. Not the whole list of public suffixes, which the core cannot ask for.
_EVERYBODYS = re.compile(r"(?:ac|co|com|edu|gob|gov|go|gub|info|ltd|mil|ne|net|nom|or|org|plc|sch)\.[a-z]{2}")
_REASON = re.compile(r"(?:^|\s)reason\s{0,9}=\s{0,9}$")
_FINDINGS = re.compile(r"[;()\"\\]|\s[A-Za-z][A-Za-z0-9_.-]{0,60}\s{0,9}=")
_LIST_ID = re.compile(r"<([^<>\s]{1,255})>\s{0,9}$")

# The name in what Microsoft 365 seals itself, and how it says that a sealer which the tenant trusts was believed.
_MICROSOFT_SEALS_AS = "mx.microsoft.com"
_MICROSOFT_TRUSTED_SEALER = "130"


@dataclass(frozen=True, slots=True)
class Result:
    """One method's finding."""

    method: str
    value: str  # pass, fail, softfail, none, temperror ...
    properties: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """A property's value; "" when it is absent, or said twice and differently."""
        found = {value for key, value in self.properties if key == name}
        return found.pop() if len(found) == 1 else ""

    def says(self, name: str) -> bool:
        """Whether the property is there, whatever it says."""
        return any(key == name for key, _ in self.properties)


def verify(email: Email, trust: Trust) -> str:
    """proven, forged, unproven (nothing speaks for it), no-verdict (our server said nothing), or unchecked."""
    if not trust.authserv_id.strip():
        return UNCHECKED
    if len(email.from_) != 1:
        return UNPROVEN
    domain = email.from_[0].domain
    if VIA_LIST in email.defects:
        return _by_list(email, domain)
    results = _ours(email, trust)
    if results is None:
        return NO_VERDICT
    found = _verdict(results, domain)
    if found != PROVEN and trust.forwarders and _sealed(email, results, trust, domain):
        return PROVEN
    return found


def author(email: Email, trust: Trust) -> Email:
    """The mail with its real author, where the vendor's own group put its address into From (decision 25).

    Anyone can write such headers. So From must be the address of the group itself, and our server must have found
    that address proven; and the headers in which the group keeps the original sender must agree, for a sender may
    have brought some of his own.
    """
    if not trust.own_lists or not trust.authserv_id.strip() or len(email.from_) != 1:
        return email
    if not _from_the_group(email, trust.own_lists) or verify(email, trust) != PROVEN:
        return email
    kept = [*email.headers.get("x-original-from", ()), *email.headers.get("x-original-sender", ())]
    found = [_address(one) for one in kept[:_MOST_HEADERS]]
    if not found or found[0] is None or any(one is None or one.address != found[0].address for one in found):
        return email
    return replace(email, from_=(found[0],), defects=(*email.defects, VIA_LIST))


def aligned(domain: str, other: str) -> bool:
    """Relaxed alignment (RFC 7489 section 3.1): the same, or one below the other, which is somebody's own: not a
    top-level domain, nor one like co.uk or com.ar, under which are everybody's.
    """
    if "." not in domain or "." not in other:
        return False
    if domain == other:
        return True
    upper = other if domain.endswith("." + other) else domain if other.endswith("." + domain) else ""
    return bool(upper) and not _EVERYBODYS.fullmatch(upper)


def parse(value: str) -> tuple[str, tuple[Result, ...]]:
    """The server's name (lower case, "" when there is none) and what it found; nothing when that is in doubt."""
    parts, sound = _scan(value)
    name = ""
    if parts and not _RESULT.match(parts[0]):
        words = parts[0].split()
        name = words[0].lower() if words else ""
        parts = parts[1:]
    if not sound:
        return name, ()
    results = []
    for part in parts[:_MOST_RESULTS]:
        match = _RESULT.match(part)
        if match:
            said = _PROPERTY.findall(part[match.end() :])
            results.append(
                Result(match[1].lower(), match[2].lower(), tuple((key.lower(), text.lower()) for key, text in said))
            )
    return name, tuple(results)


# ---------------------------------------------------------------- verdicts


def _ours(email: Email, trust: Trust) -> tuple[Result, ...] | None:
    """The topmost header of our server. None when there is none, or it says that it did not look."""
    wanted = "" if trust.authserv_id.strip() == NO_NAME else trust.authserv_id.strip().lower()
    for value in email.headers.get("authentication-results", ())[:_MOST_HEADERS]:
        name, results = parse(value)
        if name == wanted:
            return None if _says_none(value) else results
    return None


def _says_none(value: str) -> bool:
    """`example.org; none` (RFC 8601 section 2.2): nothing was checked."""
    parts, sound = _scan(value)
    return sound and [part.lower() for part in parts[1:] if part] == ["none"]


def _verdict(results: Sequence[Result], domain: str) -> str:
    """What these results say about a From of this domain."""
    about = [one for one in results if one.method == "dmarc" and _domain(one.get("header.from")) in ("", domain)]
    backed = any(one.value == "pass" and aligned(_signer(one), domain) for one in results)
    # A pass that does not say of whom may be a word of the sender's, as in `spf=none smtp.helo=x;dmarc=pass`: where the
    # server tells of SPF and DKIM as well, one of them must be the reason.
    bare = backed or not any(one.method in _SIGNERS for one in results)
    sure = all(_domain(one.get("header.from")) == domain if one.says("header.from") else bare for one in about)
    if about and sure and all(one.value in ("pass", "bestguesspass") for one in about):
        return PROVEN
    if any(one.value == "fail" for one in about):
        return FORGED  # whatever passed is not aligned as the domain's owner demands
    if backed:
        return PROVEN
    unsure = [one for one in results if one.value == "temperror"]
    if any(one in about or (one.method in _SIGNERS and aligned(_signer(one) or domain, domain)) for one in unsure):
        return NO_VERDICT  # the name server of this domain did not answer: it may be genuine
    envelope = [one for one in results if one.method == "spf" and one.value == "fail"]
    return FORGED if any(aligned(_domain(one.get("smtp.mailfrom")), domain) for one in envelope) else UNPROVEN


def _signer(result: Result) -> str:
    """Of which domain a finding of DKIM or SPF speaks; "" for other methods, and where it does not say."""
    named = next((name for name in _SIGNERS.get(result.method, ()) if result.says(name)), "")
    return _domain(result.get(named))


def _by_list(email: Email, domain: str) -> str:
    """Of a sender whom our group rewrote: the group vouches for its headers, and says there what it was told of him."""
    said = email.headers.get("x-original-authentication-results", ())[:_MOST_HEADERS]
    verdicts = {_verdict(parse(value)[1], domain) for value in said} or {PROVEN}
    # He may have brought such a header of his own: all of them must speak for him.
    return next((one for one in (FORGED, UNPROVEN, NO_VERDICT) if one in verdicts), PROVEN)


def _sealed(email: Email, results: Sequence[Result], trust: Trust, domain: str) -> bool:
    """Whether a trusted forwarder saw the mail proven, and our server found the chain whole."""
    if trust.authserv_id.strip() == NO_NAME and any(
        one.method == "compauth" and one.value == "pass" and one.get("reason") == _MICROSOFT_TRUSTED_SEALER
        for one in results
    ):
        return True
    if not any(one.method == "arc" and one.value == "pass" for one in results):
        return False
    trusted = {one.strip().lower() for one in trust.forwarders}
    ours = _MICROSOFT_SEALS_AS if trust.authserv_id.strip() == NO_NAME else trust.authserv_id.strip().lower()
    seals: dict[int, str] = {}
    for value in email.headers.get("arc-seal", ())[:_MOST_HEADERS]:
        tags = _tags(value)
        seals.setdefault(_number(tags.get("i", "")), tags.get("d", "").lower())
    found: dict[int, tuple[str, tuple[Result, ...]]] = {}
    for value in email.headers.get("arc-authentication-results", ())[:_MOST_HEADERS]:
        head, _, rest = value.partition(";")
        found.setdefault(_number(_tags(head).get("i", "")), parse(rest))
    last = max(seals, default=0)
    if last > 1 and found.get(last, ("", ()))[0] == ours and aligned(ours, _domain(seals[last])):
        # Our own server's seal on what it took in: the chain that it found whole ends before. The name alone may
        # stand in anybody's seal, on a mail that he changed.
        last -= 1
    return seals.get(last) in trusted and _verdict(found.get(last, ("", ()))[1], domain) == PROVEN


def _from_the_group(email: Email, own_lists: Sequence[str]) -> bool:
    """Whether From is the very address of a group of ours, whose List-Id the mail carries (RFC 2919)."""
    own = {_list_id(one) for one in own_lists} - {""}
    named = {_list_id(value) for value in email.headers.get("list-id", ())} & own
    return email.from_[0].address.replace("@", ".", 1) in named


def _list_id(value: str) -> str:
    """`Support desk <support.vendor.example>` -> support.vendor.example"""
    value = value.strip()[-600:]
    match = _LIST_ID.search(value)
    return (match[1] if match else value).strip("<> \t").lower()


# ---------------------------------------------------------------- values


def _address(text: str) -> Address | None:
    """The one address of a header value."""
    name, _, rest = text.rpartition("<")
    address = (rest.rstrip("> ") if name or text.startswith("<") else text).strip().lower()
    local, _, domain = address.rpartition("@")
    domain = _domain(domain)
    if not local or "@" in local or not domain or len(address) > 320 or any(char in address for char in ' "(),:;<>'):
        return None
    return Address(f"{local}@{domain}", name.strip().strip("\"'"))


def _domain(text: str) -> str:
    """The domain of an address, or of itself, in its ASCII form; "" when it is none."""
    domain = text.rpartition("@")[2].strip("<>. ").lower()
    if not domain.isascii():
        try:
            domain = ascii_domain(domain)
        except ValueError:
            return ""
    return domain if _DOMAIN.fullmatch(domain) else ""


def _tags(value: str) -> dict[str, str]:
    """tag=value; tag=value (RFC 6376 section 3.2). Of equal tags the first counts."""
    tags: dict[str, str] = {}
    for part in value[:_LONGEST].split(";"):
        key, _, text = part.partition("=")
        tags.setdefault(key.strip().lower(), "".join(text.split()))
    return tags


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _scan(value: str) -> tuple[list[str], bool]:
    """The parts between semicolons, without (comments) and quote marks; and whether they can be read in one way only.

    What is quoted cannot end a part, begin a property or name a domain, unless it is a whole value.
    """
    sound = len(value) <= _LONGEST
    value = value[:_LONGEST]
    parts: list[str] = []
    kept: list[str] = []
    pos = 0
    while pos < len(value):
        char = value[pos]
        if char == ";":
            parts.append("".join(kept).strip())
            kept = []
            pos += 1
        elif char == '"':
            text, end, closed = _quoted(value, pos)
            before, after = "".join(kept[-40:]), value[end : end + 1]
            whole = before[-1:] in ("=", " ", "\t", "") and after in ("", " ", "\t", ";")
            plain = _PLAIN.fullmatch(text) is not None
            sound = sound and closed and _quotes_soundly(before, text, after, plain)
            kept.append(text if whole and plain else re.sub(r"[^A-Za-z0-9]", "_", text))
            pos = end
        elif char == "(":
            before = value[pos - 1 : pos]
            pos, clear = _comment(value, pos)
            sound = sound and clear
            # Glued to words on both sides it is no server's, but a sender's way to write a blank where he may not.
            glued = before not in ("", " ", "\t", ";") and value[pos : pos + 1] not in ("", " ", "\t", ";")
            kept.append("_" if glued else " ")
        else:
            sound = sound and char != "\\"
            kept.append(char)
            pos += 1
    parts.append("".join(kept).strip())
    return parts, sound


def _quotes_soundly(before: str, text: str, after: str, plain: bool) -> bool:
    """Whether quotes stand where a server puts them: around a value, or the left part of an address.

    A single quote mark that it copied out of a sender's selector or name would turn inside out all that follows, and
    what he wrote elsewhere would stand outside of quotes. Within them would then stand other findings.
    """
    if before[-1:] not in ("=", " ", "\t", "", "@") or after not in ("", " ", "\t", ";", "@"):
        return False
    return plain or _REASON.search(before) is not None or _FINDINGS.search(text) is None


def _quoted(value: str, pos: int) -> tuple[str, int, bool]:
    """What stands in quotes from here, where it ends, and whether the closing mark was there."""
    text: list[str] = []
    pos += 1
    while pos < len(value):
        char = value[pos]
        if char == '"':
            return "".join(text), pos + 1, True
        if char == "\\" and pos + 1 < len(value):
            pos += 1
            char = value[pos]
        text.append(char)
        pos += 1
    return "".join(text), pos, False


def _comment(value: str, pos: int) -> tuple[int, bool]:
    """Where a comment ends that begins here, and whether it surely ends there.

    In a comment quotes mean nothing (RFC 5322 section 3.2.2), but a server that copies a sender's `"a) ; dmarc=pass
    ("@evil.example` into it did not know that.
    """
    depth = 0
    quote = -1
    clear = True
    while pos < len(value):
        char = value[pos]
        if char == "\\":
            pos += 1
        elif char == '"':
            if quote >= 0 and any(mark in value[quote:pos] for mark in "();"):
                clear = False
            quote = pos if quote < 0 else -1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return pos + 1, clear and quote < 0
        pos += 1
    return pos, False
