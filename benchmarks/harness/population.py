"""Stores that are filled past the service: for the search, by `examples/populate.rs`."""

import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .install import Programs
from .stores import Stores, stores


@dataclass(frozen=True)
class Population:
    """Artifacts of one user among those of others."""

    artifacts: int
    # So many of others for each.
    others: int

    @property
    def total(self) -> int:
        return self.artifacts * (1 + self.others)


class Populations:
    """Each is made once, when it is first asked for, and serves all rounds: nothing changes it."""

    def __init__(self, programs: Programs, folder: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
        self.programs = programs
        self.folder = folder
        self.stack = stack
        self.say = say
        self.running: dict[Population, Stores] = {}
        # What each took, for the report.
        self.notes: list[str] = []

    def database(self, population: Population) -> Path:
        """A data folder of artifactd. One that an earlier run has left complete serves again."""
        folder = self.folder / f"sqlite-{population.artifacts}-{population.others}"
        complete = folder / "complete"
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            complete.write_text(self._fill(population, "SQLite", ["--sqlite", str(folder / "metadata.db")]))
        note = complete.read_text()
        if note not in self.notes:
            self.notes.append(note)
        return folder

    def stores(self, population: Population) -> Stores:
        """A Redis, with an S3 server beside it that is empty."""
        if population not in self.running:
            folder = self.folder / f"redis-{population.artifacts}"
            filled = self.stack.enter_context(stores(self.programs, folder))
            # Nothing has to outlive a crash before it is complete.
            set_sync(filled.redis_url, "no")
            self.notes.append(self._fill(population, "Redis", ["--redis", filled.redis_url]))
            set_sync(filled.redis_url, "always")
            self.running[population] = filled
        return self.running[population]

    def _fill(self, population: Population, where: str, arguments: list[str]) -> str:
        self.say(f"filling {where} with {population.total:,} records")
        began = time.perf_counter()
        numbers = ["--artifacts", str(population.artifacts), "--others", str(population.others)]
        subprocess.run([self.programs.populate, *arguments, *numbers], check=True)
        seconds = time.perf_counter() - began
        rate = population.total / seconds
        return f"{where}: {population.total:,} records in {seconds:.0f} s, {rate:,.0f} a second"


def set_sync(redis_url: str, when: str) -> None:
    """When Redis syncs what it was told to the disk."""
    command = ["redis-cli", "-u", redis_url, "config", "set", "appendfsync", when]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
