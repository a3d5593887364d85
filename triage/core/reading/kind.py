"""What sort of mail it is (guide: *kind*).

In this order: our own mail come back, a machine's mail, a mail without words, and then a person's: thanks, a follow-up
or a request. A machine is told by several signs together: headers and structure (machine.py), the subject that a
program writes, the opening words of its text. What a person asks speaks against it, so that a forwarding rule's mark,
a forwarded delivery report, a subject about automatic replies or a word of holidays makes nobody a machine.

A sum of two is a machine; less is enough when only words speak for an automatic reply, for people's mails have next to
none of these. The nearer the sum, the lower the confidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from triage.core import threads
from triage.core.model import Body, Desk, Email, Evidence, Label
from triage.core.pack import Pack
from triage.core.reading import machine
from triage.core.reading.body import take_apart
from triage.core.reading.learned import opinion, wording
from triage.core.reading.machine import AUTO_REPLY, BOUNCE, CERTAIN, LIST, PERSON, SOME_MACHINE, Sign
from triage.core.reading.matches import Hit, Lexicon, Signals, once_per_pack
from triage.core.reading.phrases import fold
from triage.core.reading.thanks import asks_something, thanks

REQUEST, FOLLOW_UP, EMPTY = "request", "follow_up", "empty"
MACHINE_MADE = frozenset({BOUNCE, AUTO_REPLY, LIST, machine.LOOP})

_VERDICT = 2.0
_VERDICT_OF_WORDS = 1.4  # for an automatic reply
_LOOKED_AT = 3000  # characters of the text in which the sort of a mail shows
_FEW_WORDS = 6  # a text so short is looked at with what was cut from it
_HARDLY_ANY = 12  # words below the title of a receipt
_AGAIN = {BOUNCE: 0.4, AUTO_REPLY: 0.6, LIST: 0.6}  # share of a rule's weight for each further way in which it speaks
_INLINE_PICTURE = 20_000  # bytes above which a picture in the text is more than a logo


def kind(email: Email, body: Body, language: str, signals: Signals, pack: Pack, desk: Desk) -> Label:
    """The sort of a mail, how sure that is, and why. Words of all languages are looked for, whatever its own."""
    own = machine.own_mail(email, desk)
    if own:
        return Label(own.kind, 1.0, (own.evidence,))
    text = body.text[:_LOOKED_AT]
    found = _lexicon(pack).signals(text, email.subject[:400])
    echo = _own_words(body, email, found, pack)
    if echo:
        return echo
    whole = found
    if len(text.split()) < _FEW_WORDS <= len(email.text.split()):
        # A receipt looks like a header block above quoted mail: then the whole is looked at.
        whole = _lexicon(pack).signals(email.text[:_LOOKED_AT], email.subject[:400])
    verdict = _machine(email, body, whole, signals, pack, desk)
    if verdict.value in MACHINE_MADE:
        return verdict
    label = _persons(email, body, found, desk)
    return Label(label.value, round(label.confidence * verdict.confidence, 2), label.evidence + verdict.evidence)


def _kind_words(pack: Pack) -> Lexicon:
    """The words of all languages: a program's subject and the text under it are often not in the same one."""
    parts = pack.words.values()
    return Lexicon(
        [rule for part in parts for rule in part.rule if rule.signal.startswith("kind.")],
        [form for part in parts for form in part.form if form.signal.startswith("kind.")],
    )


_lexicon = once_per_pack(_kind_words)


# ---------------------------------------------------------------- our own words, come back without our headers


def _fragments(pack: Pack) -> tuple[tuple[str, frozenset[str]], ...]:
    """The fixed words of our replies, folded: pieces between variables that are long enough to be nobody else's.

    With each the words within it: all but the first and the last, which may be parts of longer ones in a text.
    """
    found: set[str] = set()
    for templates in pack.replies.values():
        for source in templates.values():
            for piece in _TEMPLATE_BREAK.split(source):
                words = fold(piece).split()
                if len(words) >= _LONG_PIECE:
                    found.add(" ".join(words))
    return tuple((piece, frozenset(piece.split()[1:-1])) for piece in sorted(found))


_TEMPLATE_BREAK = re.compile(r"\{[{%#][^{}]{0,300}[}%#]\}|[.!?:;\n]")
_LONG_PIECE = 5  # words
_LONG_SAYING = 60  # characters of ours, and most of the text
_own_fragments = once_per_pack(_fragments)


def _own_words(body: Body, email: Email, found: Signals, pack: Pack) -> Label | None:
    """Our reply, sent back to us as if it were new: most of the words are ours, or it acknowledges its own number."""
    words = fold(body.text[:_LOOKED_AT]).split()
    text, known = " ".join(words), frozenset(words)
    ours = [piece for piece, inner in _own_fragments(pack) if inner <= known and piece in text]
    said = sum(map(len, ours))
    if said >= _LONG_SAYING and said * 2 > len(text):
        return Label(machine.LOOP, 0.97, (Evidence("own.reply", "reading", ours[0]),))
    number = threads.in_subject(email.subject)
    if not number or not _named(number, body.text) or not threads.marked_as_reply(email):
        return None
    weight = found.weight("kind.loop") + 0.5 * found.weight("kind.auto_reply")
    asked = found.weight("kind.person") + (1.0 if "?" in body.text else 0.0)
    if found.of("kind.loop") and weight - asked >= 1.2:
        return Label(machine.LOOP, 0.9, found.evidence("kind.loop"))
    return None


def _named(number: str, text: str) -> bool:
    return re.search(rf"(?<!\d)0{{0,5}}{number}(?!\d)", text[:_LOOKED_AT]) is not None


# ---------------------------------------------------------------- machines


def _machine(email: Email, body: Body, found: Signals, signals: Signals, pack: Pack, desk: Desk) -> Label:
    """bounce, auto_reply or list when the signs reach a verdict; else no value, and how sure it is that it is none."""
    words = _words_of_machines(email, body, found, pack)
    if not any(sign.kind in (BOUNCE, LIST) for sign in words):  # learned from neither
        words += _learned(body, found, pack, alone=not words)
    all_signs = [*machine.signs(email, desk), *words]
    sums = {kind: sum(sign.weight for sign in all_signs if sign.kind == kind) for kind in (BOUNCE, AUTO_REPLY, LIST)}
    best = max(sums, key=lambda kind: sums[kind])
    if best == LIST:  # a list passes on delivery reports and automatic replies of its members, too
        best = next((kind for kind in (BOUNCE, AUTO_REPLY) if sums[kind] >= _VERDICT), LIST)
    if sums[best] < 0.7:
        best = AUTO_REPLY
    certain = any(sign.weight >= CERTAIN for sign in all_signs if sign.kind == best)
    total = sums[best] + sum(sign.weight for sign in all_signs if sign.kind == SOME_MACHINE)
    total -= 0.0 if certain else _person(email, body, best, found, signals, all_signs)
    evidence = tuple(sign.evidence for sign in all_signs if sign.kind in (best, SOME_MACHINE))
    verdict = _VERDICT
    if best == AUTO_REPLY:
        # (a title alone may be somebody's topic)
        said = sum(sign.weight for sign in words if sign.kind == AUTO_REPLY and not sign.titled)
        verdict = _VERDICT_OF_WORDS if said >= _VERDICT_OF_WORDS else _VERDICT
    if total >= verdict:
        confidence = 1.0 if certain else min(0.98, 0.6 + 0.2 * (total - verdict))
        return Label(best, round(confidence, 2), evidence[:6])
    if total < 0.8:
        return Label(None, 1.0)
    return Label(None, round(1.0 - 0.4 * total / verdict, 2), evidence[:3])


def _words_of_machines(email: Email, body: Body, found: Signals, pack: Pack) -> list[Sign]:
    """What subject and text say, where a machine would say it. Footers of bulk mail stand at the end."""
    signs: list[Sign] = []
    for kind_of_mail in (BOUNCE, AUTO_REPLY, LIST):
        hits = [hit for hit in found.of(f"kind.{kind_of_mail}") if _counts(hit, kind_of_mail, email.subject)]
        if kind_of_mail == LIST:
            tail = "\n".join((body.text[_LOOKED_AT:][-1500:], body.closing[-1500:]))
            hits += _lexicon(pack).signals(tail).of("kind.list") if tail.strip() else []
        signs += _signs(kind_of_mail, hits)
    if any(hit.in_subject and email.subject[hit.end :].lstrip().startswith(":") for hit in found.of("kind.auto_reply")):
        words = len(body.text.split())
        if words <= _HARDLY_ANY and not any(found.of(f"kind.{name}") for name in ("person", "ask", "open")):
            signs.append(Sign(AUTO_REPLY, 0.7, "hardly-any-words", f"{words} words below a program's title"))
    return signs


def _learned(body: Body, found: Signals, pack: Pack, *, alone: bool) -> list[Sign]:
    """What the words of the opening say by what was learned from automatic replies and from people's mails.

    `alone`: no rule speaks for a machine. Then few words, thanks, and words that ask or report are a person's.
    """
    heard = opinion(wording(machine.learned_from(body.text)), pack, "kind") if body.text else None
    if heard is None:
        return []
    lead = _LEARNED * (heard.scores[AUTO_REPLY] - heard.scores[PERSON])
    said = AUTO_REPLY if lead > 0 else PERSON
    most = _MOST_LEARNED if lead > 0 else _MOST_LEARNED_AGAINST
    if alone and (len(body.text.split()) < _ENOUGH or any(found.of(f"kind.{name}") for name in _OF_PERSONS)):
        most = min(most, _MOST_LEARNED_OF_PERSONS)
    weight = min(most, abs(lead))
    shown = ", ".join(reason.matched for reason in heard.reasons(said))
    return [Sign(said, weight, f"learned.kind.{said}", shown, "reading")] if shown else []


_LEARNED = 1.3  # weight of a unit of what was learned
_MOST_LEARNED, _MOST_LEARNED_AGAINST, _MOST_LEARNED_OF_PERSONS = 2.4, 0.4, 1.3
_ENOUGH = 14  # words of a text on which what was learned may decide alone
_OF_PERSONS = ("thanks", "solved", "person", "promise")


def _signs(kind_of_mail: str, hits: Sequence[Hit]) -> list[Sign]:
    """Each rule once at its weight, a little more for each further way in which it speaks; a place counts once."""
    seen: dict[str, set[str]] = {}
    taken: list[tuple[bool, int, int]] = []
    signs: list[Sign] = []
    for hit in sorted(hits, key=lambda hit: (-hit.rule.weight, hit.start, -hit.end)):
        words = seen.setdefault(hit.rule.id, set())
        known = fold(hit.matched)
        if known in words or len(words) > 4 or len(signs) > 20:
            continue
        if any(hit.in_subject == where and hit.start < end and start < hit.end for where, start, end in taken):
            continue
        share = 1.0 if not words else _AGAIN[kind_of_mail]
        words.add(known)
        taken.append((hit.in_subject, hit.start, hit.end))
        signs.append(
            Sign(kind_of_mail, hit.rule.weight * share, hit.rule.id, hit.matched, hit.rule.clause, hit.in_subject)
        )
    return signs


def _counts(hit: Hit, kind_of_mail: str, subject: str) -> bool:
    if not hit.in_subject:
        return kind_of_mail == LIST or hit.start < machine.OPENING
    return _program_subject(subject, hit.start, hit.end)


_TAGS = re.compile(r"(?:\s{0,5}\[[^\[\]]{1,60}\]){0,4}[\s*\"'!(<\[]{0,8}")
_AFTER_SUBJECT = re.compile(
    r"\s{0,3}(?:[:\-–—|(\[\"<#,;!*.»]|$|(?:re|aw|rv|fwd?|sv|vs|antw)\s{0,2}:|\d)", re.IGNORECASE
)


def _program_subject(subject: str, start: int, end: int) -> bool:
    """Whether the words stand where a program puts them: first, and then the subject that it answers; or alone in
    brackets, last as with GroupWise, or first. Within a sentence they are somebody's topic."""
    first = _TAGS.match(subject)
    if first and start <= first.end() and _AFTER_SUBJECT.match(subject, end):
        return True
    before, after = subject[:start].strip(), subject[end:].strip()
    return (before.endswith(("(", "[")) and after in (")", "]")) or (before in ("(", "[") and after[:1] in (")", "]"))


def _person(email: Email, body: Body, suspected: str, found: Signals, signals: Signals, signs: Sequence[Sign]) -> float:
    """What speaks for a person: questions and requests, the vendor's matters, words of his own before a report."""
    text = body.text[:_LOOKED_AT]
    asks = min(2.0, found.weight("kind.person") * 0.8)
    if asks_something(text):
        asks += 0.8
    matters = {
        hit.matched.lower()
        for signal, hits in signals.hits.items()
        if signal.startswith(("service.", "request_type.incident", "request_type.change"))
        for hit in hits
        if not hit.in_subject and hit.rule.weight > 0
    }
    if suspected == LIST:
        asks *= 0.4  # who sells asks, too
    weight = asks + sum(sign.weight for sign in signs if sign.kind == PERSON)
    hits = [hit for hit in found.of(f"kind.{suspected}") if _counts(hit, suspected, email.subject)]
    titled, spoken = (any(hit.in_subject == where for hit in hits) for where in (True, False))
    # Delivery reports, and what stands below a program's title, speak of such matters, too.
    if not spoken or (suspected != BOUNCE and not titled):
        weight += min(0.6 if suspected == LIST else 1.0, 0.3 * len(matters))
    reported = [hit.start for hit in found.of("kind.bounce") if not hit.in_subject]
    if reported and any(hit.start < min(reported) for hit in found.of("kind.person") if not hit.in_subject):
        weight += 1.5  # a report that somebody shows us, after words of his own
    if _FORWARD.match(email.subject):
        weight += 1.0
    return min(weight, 3.0)


# ---------------------------------------------------------------- people


def _persons(email: Email, body: Body, found: Signals, desk: Desk) -> Label:
    mark = _earlier(email, body, found, desk)
    attached = any(not part.inline or part.size > _INLINE_PICTURE for part in email.attachments)
    done = thanks(body.text, found, mark is not None, attached) if body.own else None
    if done:
        return done
    wordless = not body.own or not re.search(r"\w", body.text)
    if wordless or _signature_alone(body, found):
        if attached or body.forwarded.strip():
            return Label(FOLLOW_UP if mark else REQUEST, 0.8, (mark,) if mark else ())
        # The subject may be all that somebody wrote, a name no name: a person should look at it.
        said = len(threads.bare_subject(email.subject).split()) >= 4 and not mark
        return Label(EMPTY, 0.95 if wordless and not said else 0.45)
    if mark:
        return Label(FOLLOW_UP, 0.95, (mark,))
    return Label(REQUEST, 0.92)


_TAG = r"\s{0,5}(?:\[[^\[\]]{1,40}\]\s{0,3})?"
_COUNT = r"(?:\[\d{1,3}\]|\(\d{1,3}\))?\s{0,3}[:：]"
_REPLY = re.compile(
    rf"{_TAG}(?:re|aw|sv|antw|ref|res|rif|odp|vá|ynt|bls|atb|rsp|回复|答复|返信){_COUNT}", re.IGNORECASE
)
_FORWARD = re.compile(rf"{_TAG}(?:fwd?|rv|wg|tr|enc|i|doorst|pd|vb|vs|ilt|转发){_COUNT}", re.IGNORECASE)


def _earlier(email: Email, body: Body, found: Signals, desk: Desk) -> Evidence | None:
    """The mark of an earlier conversation. What a sender passes on is a matter of its own, unless it is ours."""
    ids = threads.references(email)
    if _FORWARD.match(email.subject):
        ours = threads.own_tickets(ids, desk)
        number = threads.in_subject(email.subject)
        if ours or number:
            return Evidence("mark.ticket", "reading", f"#{number or ours[0]}")
        return None
    if ids:
        return Evidence("mark.reply-header", "reading", ids[0])
    if _REPLY.match(email.subject):
        return Evidence("mark.subject", "reading", email.subject[:60])
    if threads.in_subject(email.subject):
        return Evidence("mark.ticket", "reading", email.subject[:60])
    if body.has_quote:
        return Evidence("mark.quote", "reading", body.quoted[:60].replace("\n", " "))
    tickets = found.of("kind.ticket")
    return tickets[0].evidence if tickets else None


def _signature_alone(body: Body, found: Signals) -> bool:
    """Whether the text is nothing but a closing formula, a signature or a phone's footer. body.py takes these for
    text when they stand alone, for it never cuts the last words away; below other words it would see what they are."""
    text = body.text.strip()
    if any(found.of(f"kind.{name}") for name in ("ask", "open", "person", "thanks", "solved")):
        return False
    greeting = [hit for hit in found.of("kind.filler") if not hit.in_subject and hit.start < 3]
    footer = "\n" not in text and len(text.split()) >= 3
    if len(text) > _SHORT or not (greeting or footer or text.startswith(("--", "__"))):
        return False
    return take_apart(f"{_SOME_WORDS}\n\n{text}").text.strip() == _SOME_WORDS


_SHORT = 300
_SOME_WORDS = "0 1 2 3 4 5 6 7 8 9 10 11."
