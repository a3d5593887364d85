"""The language of a mail: a language of the pack, or "other" with its ISO 639-1 code (guide: *language*).

Scripts are told by their letters. Within a script the words decide: each language has its function words, endings
and letters as rules with the signal "language.<code>" (words/<language>/language.toml for the languages of the pack,
words/any/language.toml for their neighbours). Only phrases of one word count. A word that several languages share
speaks for all of them and so decides nothing.

What is not the sender's prose is left out first: addresses, identifiers, log lines, payloads, words in quotation marks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from triage.core.model import Evidence, Label
from triage.core.pack import Form, Pack, WordRule
from triage.core.reading.matches import once_per_pack
from triage.core.reading.phrases import fold, parse

_LONGEST = 6000  # characters that are looked at: the language of a mail shows at its beginning
_TIMES = 3  # a word counts no more often
_LETTERS_AT_MOST = 6  # nor do letters that only one language has
_ENOUGH = 2.5  # weight of words below which the subject is asked as well
_MOST_KNOWN = 20_000  # words whose rules are kept
_FOREIGN_BY = 1.08  # how much better a language outside the pack must explain the words

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_QUOTED = re.compile(r'"[^"\n]{1,80}"|“[^”\n]{1,80}”|«[^»\n]{1,80}»')
_TAG = re.compile(r"<[^<>\n]{1,300}>|\{[^{}\n]{1,400}\}")  # markup, and a payload within a line
# A line that a program wrote: it begins with a bracket, a time, a level, a key; or it is a frame of a stack.
_TECHNICAL_LINE = re.compile(
    r"\s{0,40}(?:[{}|>$]|\[(?:\d|[A-Z]{2})|\d{1,4}[-/.:]\d{1,2}[-/.:]\d"
    r"|(?:ERROR|WARN|WARNING|INFO|DEBUG|FATAL|TRACE|Traceback|Caused by)\b"
    r"|at [\w.$]{3,120}\(|\"[^\"\n]{1,80}\"\s{0,3}:)"
)
_TECHNICAL = frozenset("@\\=_{}[]|<>#$%^~")

# Letters outside Latin, by script: the code that the script gives when no word decides.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("ru", re.compile("[\u0400-\u052f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("pa", re.compile("[\u0a00-\u0a7f]")),
    ("gu", re.compile("[\u0a80-\u0aff]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
    ("te", re.compile("[\u0c00-\u0c7f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("ka", re.compile("[\u10a0-\u10ff]")),
    ("hy", re.compile("[\u0530-\u058f]")),
    ("am", re.compile("[\u1200-\u137f]")),
)
_SPACELESS_FROM = "\u2e80"  # scripts that put no spaces between words
_SPACELESS = 2.5  # a letter of these says more than one of an alphabet
_NOT_LATIN = re.compile("[\u0370-\u1dff\u3040-\ud7ff]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")


def language(text: str, pack: Pack, subject: str = "") -> tuple[Label, str | None]:
    """The language of the sender's text, and its ISO 639-1 code. Little text gives little confidence."""
    prose = _prose(text[:_LONGEST])
    scores = _Scores(_index(pack))
    scores.add(prose, 1.0)
    if scores.total < _ENOUGH and subject:
        scores.add(_prose(subject[:400]), 0.5)
        prose = f"{prose} {subject[:400]}"
    script, share = _script(prose)
    if share > 0.4:
        return _foreign_script(script, share, scores, pack)
    return _by_words(scores, pack)


def _by_words(scores: _Scores, pack: Pack) -> tuple[Label, str | None]:
    ranked = scores.ranked()
    own = pack.manifest.languages
    if not ranked:
        return Label(own[0], 0.0), own[0]
    best, weight = ranked[0]
    ours = next(((code, value) for code, value in ranked if code in own), None)
    if ours and best not in own and weight < ours[1] * _FOREIGN_BY:
        best, weight = ours
    second = next((value for code, value in ranked if code != best), 0.0)
    sure = weight / (weight + 2.0)  # how much was there to go by
    clear = max(0.0, 1.0 - second / weight) ** 0.5
    confidence = round(min(0.99, sure * (0.55 + 0.45 * clear) * 1.25), 2)
    return Label(best if best in own else "other", confidence, scores.evidence(best)), best


def _foreign_script(script: str, share: float, scores: _Scores, pack: Pack) -> tuple[Label, str | None]:
    """Several languages share a script: words and letters decide between them, else the script's own code."""
    ranked = [(code, value) for code, value in scores.ranked() if code in _SHARED.get(script, ())]
    code = ranked[0][0] if ranked else script
    evidence = scores.evidence(code) or (Evidence("language.script", "reading", script),)
    value = code if code in pack.manifest.languages else "other"
    return Label(value, round(min(0.99, 0.6 + share * 0.4), 2), evidence), code


_SHARED = {
    "ru": ("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn"),
    "ar": ("ar", "fa", "ur"),
    "hi": ("hi", "mr", "ne"),
}


def _script(prose: str) -> tuple[str, float]:
    """The script outside Latin with the most letters, and its share of all letters."""
    foreign = "".join(_NOT_LATIN.findall(prose))
    if not foreign:
        return "", 0.0
    counts = {code: len(letters.findall(foreign)) for code, letters in _SCRIPTS}
    if counts["ja"] * 10 > counts["zh"]:  # Japanese writes Han too
        counts["ja"] += counts.pop("zh")
    code = max(counts, key=lambda key: counts[key])
    weight = counts[code] * (_SPACELESS if code in ("ja", "ko", "zh") else 1.0)
    latin = len(_LATIN.findall(prose))
    return code, weight / (weight + latin) if weight else 0.0


def _prose(text: str) -> str:
    """What of the text is prose."""
    kept: list[str] = []
    for line in text.split("\n"):
        if _TECHNICAL_LINE.match(line):
            continue
        chunks = _TAG.sub(" ", line).split()
        plain = [chunk for chunk in chunks if _is_plain(chunk)]
        if len(plain) * 2 >= len(chunks):
            kept.append(" ".join(plain))
    prose = "\n".join(kept)
    unquoted = _QUOTED.sub(" ", prose)
    return unquoted if len(unquoted) > 60 or len(unquoted) * 2 > len(prose) else prose


def _is_plain(chunk: str) -> bool:
    """Whether this is an ordinary word, and not an address, a path, a key, an identifier."""
    if chunk.isalpha() or (chunk[:-1].isalpha() and chunk[-1] in ".,:;!?"):
        return True
    if max(chunk) >= _SPACELESS_FROM:
        return True
    if not _TECHNICAL.isdisjoint(chunk) or "://" in chunk or chunk.startswith("www."):
        return False
    return not any(char.isdigit() for char in chunk) and chunk.count("/") < 2


_Speaking = tuple[str, float, WordRule]  # a language, the weight of a rule that speaks for it, the rule


@dataclass(frozen=True, slots=True)
class _Index:
    """The words of all languages of a pack, ready to be looked up. Of two rules for one word the weightier holds."""

    words: dict[str, dict[str, WordRule]]  # word -> language -> rule
    endings: dict[int, dict[str, dict[str, WordRule]]]  # by length of the ending
    letters: tuple[tuple[str, re.Pattern[str], Form], ...]
    known: dict[str, tuple[_Speaking, ...]] = field(default_factory=dict)  # word -> its rules, as far as looked up

    def rules(self, word: str) -> tuple[_Speaking, ...]:
        """The rules of a word; of a word that none knows, those of its ending."""
        found = self.known.get(word)
        if found is None:
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            found = self.known[word] = tuple(
                (code, rule.weight, rule) for rules in self._look_up(word) for code, rule in rules.items()
            )
        return found

    def _look_up(self, word: str) -> list[dict[str, WordRule]]:
        if word in self.words:
            return [self.words[word]]
        size = len(word)
        if size < 5:
            return []
        # An ending that is nearly the whole word is none.
        return [
            tails[word[-length:]]
            for length, tails in self.endings.items()
            if size >= length + 2 and word[-length:] in tails
        ]


def _collect(pack: Pack) -> _Index:
    index = _Index({}, {}, _forms(pack))
    for part in pack.words.values():
        for rule in part.rule:
            family, _, code = rule.signal.partition(".")
            if family != "language":
                continue
            for step in (steps[0] for steps in map(parse, rule.phrases) if len(steps) == 1):
                for word in step.words:
                    _keep(index.words.setdefault(word, {}), code, rule)
                for tail in step.tails:
                    _keep(index.endings.setdefault(len(tail), {}).setdefault(tail, {}), code, rule)
    return index


def _keep(rules: dict[str, WordRule], code: str, rule: WordRule) -> None:
    if code not in rules or rules[code].weight < rule.weight:
        rules[code] = rule


def _forms(pack: Pack) -> tuple[tuple[str, re.Pattern[str], Form], ...]:
    return tuple(
        (form.signal.partition(".")[2], re.compile(form.pattern, re.IGNORECASE if form.ignore_case else 0), form)
        for part in pack.words.values()
        for form in part.form
        if form.signal.startswith("language.")
    )


_index = once_per_pack(_collect)


class _Scores:
    """What speaks for each language."""

    def __init__(self, index: _Index) -> None:
        self.index = index
        self.weights: defaultdict[str, float] = defaultdict(float)
        self.words: Counter[str] = Counter()
        self.letters: dict[str, Evidence] = {}

    @property
    def total(self) -> float:
        return max(self.weights.values(), default=0.0)

    def add(self, prose: str, factor: float) -> None:
        words = Counter(_WORD.findall(fold(prose)))
        self.words.update(words)
        weights, rules = self.weights, self.index.rules
        for word, times in words.items():
            count = (times if times < _TIMES else _TIMES) * factor
            for code, weight, _ in rules(word):
                weights[code] += weight * count
        if not prose.isascii():
            self._add_letters(" ".join(chunk for chunk in prose.split() if not chunk.isascii()), factor)

    def _add_letters(self, special: str, factor: float) -> None:
        for code, pattern, form in self.index.letters:
            found = pattern.findall(special)[:_LETTERS_AT_MOST]
            if found:
                self.weights[code] += form.weight * factor * len(found) ** 0.5
                self.letters.setdefault(code, Evidence(form.id, form.clause, found[0]))

    def ranked(self) -> list[tuple[str, float]]:
        return sorted(
            ((code, weight) for code, weight in self.weights.items() if weight > 0), key=lambda pair: -pair[1]
        )

    def evidence(self, code: str) -> tuple[Evidence, ...]:
        """The words that spoke for a language, by rule."""
        found: dict[str, list[str]] = {}
        clauses: dict[str, str] = {}
        for word in self.words:
            for spoken, _, rule in self.index.rules(word):
                if spoken == code:
                    found.setdefault(rule.id, []).append(word)
                    clauses[rule.id] = rule.clause
        evidence = [Evidence(rule, clauses[rule], ", ".join(words[:6])) for rule, words in found.items()]
        if code in self.letters:
            evidence.append(self.letters[code])
        return tuple(evidence[:3])
