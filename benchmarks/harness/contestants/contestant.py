"""What a contestant can do."""

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ..client import Client, member
from ..install import Programs
from ..population import Population, Populations
from ..processes import free_port
from ..works import START, Work
from ..wrk import UNIQUE

USER = "bench"
# Enough that nobody serves one hot file.
FILES = 256
# More, so that no two connections replace the same file at the same time.
FILES_TO_REPLACE = 512
BATCH = 100
BYTES = "application/octet-stream"
FILENAME = f"file-{UNIQUE}.bin"


@dataclass(frozen=True)
class Transfer:
    """One large file, there and back."""

    method: str
    upload: str
    # Where it is then; {} stands for the id at `id_at` in the answer.
    download: str
    id_at: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Contestant:
    """A server, or a way to call one. What it takes part in, it has a method for:

    - `store(size)`, `retrieve(size)`, `metadata()`, `update(size)`, `batch(size)`, `presign()` and
      `search(question, population)` prepare what is needed and return the `Load`;
    - `stream()` returns a `Transfer`.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, programs: Programs, populations: Populations) -> None:
        self.programs = programs
        self.populations = populations
        self.port = 0

    @classmethod
    def takes_part(cls, work: Work) -> bool:
        return work.kind == START or hasattr(cls, work.kind)

    def open(self, stack: ExitStack, folder: Path, population: Population | None) -> float:
        """Starts the servers, which the stack ends, on empty stores or on such that are filled already. Returns how
        many seconds it took until the first answer.
        """
        raise NotImplementedError

    def pids(self) -> list[int]:
        """The processes whose memory counts."""
        raise NotImplementedError

    def client(self, headers: dict[str, str] | None = None) -> Client:
        return Client(self.port, headers or {})


def new_port(contestant: Contestant) -> int:
    contestant.port = free_port()
    return contestant.port


def fill_through(client: Client, target: str, size: int, count: int) -> list[str]:
    """Stores some files with POST, as artifactd and the origin take them; their ids."""

    def store(numbered: tuple[int, bytes]) -> str:
        number, content = numbered
        answer = client.send("POST", f"{target}file-{number}.bin", content, {"Content-Type": BYTES})
        return member("artifact_id", json.loads(answer))

    return client.send_all(enumerate(contents(size, count)), store)


def contents(size: int, count: int = FILES) -> list[bytes]:
    return [os.urandom(size) for _ in range(count)]
