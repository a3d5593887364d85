"""What comparing two packs over an archive costs: `python -m bench.rules_diff [MAILS]` (10,000 without a number).

The mails are those of the whole benchmark: 15 KB each, every fifth with an attachment. Two comparisons: only numbers
and texts differ, so that each mail is read once; and words differ, so that it is read with both packs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.mails import generate
from triage.adapters import packs


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-rules-diff-") as made:
        folder = Path(made)
        archive = folder / "archive.mbox"
        with archive.open("wb") as file:
            for raw in generate(count):
                file.write(b"From support@vendor.example Mon Mar  2 08:00:00 2026\n" + raw + b"\n\n")
        print(f"{count} mails, {archive.stat().st_size / 1e6:.0f} MB, {len(os.sched_getaffinity(0))} processors")
        for name, words in (("other numbers and texts", False), ("other words too", True)):
            seconds, first = _compare(folder, archive, _changed(folder / name.replace(" ", "-"), words))
            print(f"{name:<26}{seconds:6.1f} s  {count / seconds:6.0f} mails/s   {first}")


def _changed(folder: Path, words: bool) -> Path:
    """A new version of the shipped pack."""
    shutil.copytree(packs.shipped_rules() / "navixy", folder, ignore=shutil.ignore_patterns("examples"))
    targets = folder / "targets.toml"
    targets.write_text(targets.read_text().replace("hours = 6", "hours = 5"))
    if words:
        rule = '[[rule]]\nid = "en.bench"\nsignal = "service.api"\nphrases = ["raw data"]\n'
        (folder / "words" / "en" / "bench.toml").write_text(rule)
    return folder


def _compare(folder: Path, archive: Path, new: Path) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "triage", "rules", "diff", "navixy", new, archive, "--most", "0"],
        capture_output=True, text=True, check=True, cwd=folder, env={**os.environ, "TRIAGE_CONFIG": ""},
    )  # fmt: skip
    return time.perf_counter() - start, done.stdout.split("\n")[1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
