"""docs/rules.md shows every clause and every key. `WRITE_DOCS=1 pytest tests/packs/test_docs.py` renews the table."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from triage.adapters.examples import Example, Expected, Given
from triage.adapters.pack_files import SINGLE, TABLES, WORD_TABLES
from triage.adapters.packs import clause_table
from triage.core import replies
from triage.core.pack import CHECKS, Entry, Holidays, Learned, Manifest, Pack

DOC = Path(__file__).parents[2] / "docs" / "rules.md"
_TABLE = re.compile(r"(<!-- clauses: .*? -->\n)(.*?)(<!-- end of clauses -->)", re.DOTALL)
ENTRIES: list[type[Entry]] = [
    Manifest,
    *(model for _, model in TABLES.values()),
    *SINGLE.values(),
    *WORD_TABLES.values(),
    Holidays,
    Learned,
    Example,
    Given,
    Expected,
]


def test_the_clause_table_is_that_of_the_pack(navixy: Pack) -> None:
    text = DOC.read_text(encoding="utf-8")
    right = _TABLE.sub(lambda match: match[1] + clause_table(navixy) + match[3], text)
    if os.environ.get("WRITE_DOCS"):
        DOC.write_text(right, encoding="utf-8")
    assert text == right, "run: WRITE_DOCS=1 pytest tests/packs/test_docs.py"


@pytest.mark.parametrize("model", ENTRIES, ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[Entry]) -> None:
    text = DOC.read_text(encoding="utf-8")
    common = {"id", "names", "clause", "assumption", "received", "expect"}  # in the introduction, or shown in use
    missing = [
        key for key in model.model_fields if key not in common and f"`{key}`" not in text and f"{key} =" not in text
    ]
    assert missing == []


def test_every_table_and_check_is_explained() -> None:
    text = DOC.read_text(encoding="utf-8")
    for table in (*TABLES, *WORD_TABLES):
        assert f"[[{table}]]" in text
    for check, meaning in CHECKS.items():
        assert f"`{check}` ({meaning})" in text


def test_every_text_and_every_word_that_it_may_name_is_explained(navixy: Pack) -> None:
    text = DOC.read_text(encoding="utf-8")
    names = (*replies.TO_PARTNERS, *replies.TO_STAFF, replies.MOMENT, *replies.variables(navixy))
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_lines_of_the_cookbook_are_toml() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        tomllib.loads(block)
