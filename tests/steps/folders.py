"""A mailbox in memory, as far as the rounds over the Sent and the ready folder need one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.steps.desk import reading
from triage.adapters.imap import Arrived, FolderStatus
from triage.adapters.readers import Done, Job
from triage.core.errors import MailError
from triage.core.model import Email, Reading


@dataclass
class Folders:
    """Mails by folder and UID. Reads them too: bytes are the fingerprint, looked up in what was put in."""

    mails: dict[str, dict[int, tuple[Email, Reading]]] = field(default_factory=dict)
    moved: list[tuple[str, str]] = field(default_factory=list)  # Message-ID, folder
    withheld: set[int] = field(default_factory=set)  # UIDs that the server does not hand out
    _selected: str = ""
    _next: int = 1

    def put(self, folder: str, email: Email, said: Reading | None = None) -> None:
        self.mails.setdefault(folder, {})[self._next] = (email, said or reading(email.text or "x"))
        self._next += 1

    # ---------------------------------------------------------------- the mailbox

    def select(self, folder: str) -> FolderStatus:
        self._selected = folder
        return FolderStatus(folder, 1, self._next, len(self._here), False)

    def uids(self, after: int = 0) -> list[int]:
        return [uid for uid in self._here if uid > after]

    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]:
        here = [uid for uid in uids if uid in self._here]
        return {uid: Arrived(uid, 1000, self._here[uid][0].received) for uid in here}  # type: ignore[arg-type]

    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]:
        for uid in uids:
            if uid not in self.withheld:
                yield uid, self._here[uid][0].fingerprint.encode()
        if self.withheld & set(uids):
            raise MailError("does not hand out")

    def message_ids(self, uids: Sequence[int]) -> dict[int, str]:
        return {uid: self._here[uid][0].message_id for uid in uids}

    def search_message(self, message_id: str) -> list[int]:
        if '"' in message_id:
            return []  # as the mailbox does: it is no word of a search
        return [uid for uid, (email, _) in self._here.items() if email.message_id == message_id]

    def move(self, uids: Sequence[int], folder: str, *, again: bool = False) -> None:
        for uid in uids:
            email, said = self._here.pop(uid)
            self.moved.append((email.message_id, folder))
            self.put(folder, email, said)

    def ensure_folder(self, folder: str) -> str:
        return folder

    @property
    def _here(self) -> dict[int, tuple[Email, Reading]]:
        return self.mails.setdefault(self._selected, {})

    # ---------------------------------------------------------------- the readers

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        known = {email.fingerprint: (email, said) for mails in self.mails.values() for email, said in mails.values()}
        for job in jobs:
            yield Done(job.key, *known[job.raw.decode()])
