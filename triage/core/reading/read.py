"""Reads a mail: everything that its words say, by the triage guide, in one value.

    Email -> body (what the sender wrote) -> language -> signals (all words and forms of the pack, found once)
          -> kind -> questions, topic, courtesy, fields

Pure: the same mail, pack and desk give the same reading. Machine mail, thanks and empty mail ask nothing, so they have
no topic (guide: *kind*); their fields are read all the same.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from triage.core.model import Body, Desk, Email, Label, Reading
from triage.core.pack import NONE, Pack
from triage.core.reading.body import take_apart
from triage.core.reading.courtesy import courtesy
from triage.core.reading.fields import fields
from triage.core.reading.kind import kind
from triage.core.reading.language import language
from triage.core.reading.matches import lexicon
from triage.core.reading.questions import Questions, questions
from triage.core.reading.thanks import THANKS
from triage.core.reading.topic import Topic, deployment, topic

_LONGEST_FORWARDED = 20_000  # characters of attached mail that are read
_ASKING = frozenset({"request", "follow_up"})  # kinds of mail that ask or report something


def read(email: Email, pack: Pack, desk: Desk) -> Reading:
    """What a mail says."""
    sender = email.from_[0].name if email.from_ else ""
    body = _with_attached(take_apart(email.text, subject=email.subject, sender_name=sender), email)
    text = body.readable
    tongue, code = language(body.text, pack, email.subject)
    tongues = [tongue.value or ""]
    if body.forwarded:  # what he passes on may be in another language, and is read as well
        tongues.append(language(body.forwarded, pack)[0].value or "")
    words = lexicon(pack, tongues)
    signals = words.signals(text, email.subject)
    what = kind(email, body, tongue.value or "", signals, pack, desk)
    if what.value in _ASKING:
        asked = questions(text, email.subject, signals, pack)
        foreign = tongue.value not in pack.words
        about = topic(text, email.subject, signals, asked.texts, words, pack, foreign=foreign)
    else:
        asked, about = Questions((), what.confidence), _nothing(what, pack)
    manners = courtesy(signals, pack, until=len(body.text))
    plan = deployment(signals, pack)
    given = fields(
        email,
        body,
        signals,
        pack,
        done=what.value == THANKS,
        request_type=about.request_type.value,
    )
    labels = (what, tongue, about.request_type, about.service, about.out_of_scope, about.severity, plan)
    return Reading(
        kind=what,
        language=tongue,
        language_code=code,
        body=body,
        questions=asked.texts,
        questions_confidence=asked.confidence,
        request_type=about.request_type,
        service=about.service,
        out_of_scope=about.out_of_scope,
        severity=about.severity,
        courtesy=manners,
        deployment=plan,
        fields=given,
        evidence=tuple(
            dict.fromkeys(
                chain(
                    *(label.evidence for label in labels),
                    asked.evidence,
                    *(label.evidence for label in given.values()),
                    manners.evidence,
                )
            )
        ),
    )


def _with_attached(body: Body, email: Email) -> Body:
    """A mail passed on as an attachment is read like one passed on in the text; what a machine returns is not."""
    if not email.forwarded or email.report_type:
        return body
    passed = "\n\n".join((*filter(None, (body.forwarded,)), *email.forwarded))[:_LONGEST_FORWARDED]
    return replace(body, forwarded=passed)


def _nothing(what: Label, pack: Pack) -> Topic:
    """The topic of a mail that asks nothing."""
    none = Label(None, what.confidence)
    other = Label(pack.request_types[-1].id, what.confidence, what.evidence)
    return Topic(other, Label(NONE, what.confidence, what.evidence), none, none)
