"""Which regular expressions may look at the text of strangers."""

from __future__ import annotations

import pytest

from triage.adapters.form_checks import fault


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b\d{15}\b",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{1,4}",
        r"[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,200}\.[a-z]{2,20}",
        r"\bLL-20\d{2}-\d{6}\b",
        r"(?<!\d)(?:IMEI|imei)[ :#]{0,3}\d{14,16}",
    ],
)
def test_a_form_with_bounds_may_be_used(pattern: str) -> None:
    assert fault(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(a+)+b", "repeat without an end"),
        (r"\d{4,}", "repeat without an end"),
        (r"x.*y", "repeat without an end"),
        (r"a{1,5000}b", "at most 1000"),
        (r"(?:[a-z]{1,20}){1,20}x", "repeats inside a repeat"),
        (r"(?:(?:[a-z]{1,20}){1,5}a){1,12}x", "repeat directly inside a repeat"),
        (r"(?:[a-z]{1,20}a){1,12}x", "takes too long"),
        (r"\w{1,300}\w{1,300}\w{1,300}x", "takes too long"),
        (r"(?:q|qq){1,12}(?:q|qq){1,12}(?:q|qq){1,12}y", "takes too long"),
        (r"[qz]{0,300}q{0,300}z{0,300}!", "takes too long"),
        (r"(a)\1", "refers back"),
        (r"a?", "fits an empty text"),
        (r"(", "is not a regular expression"),
        (r"a{1,99999999999}", "too large"),
    ],
)
def test_a_form_that_could_explode_is_refused_with_the_reason(pattern: str, says: str) -> None:
    assert says in fault(pattern)
