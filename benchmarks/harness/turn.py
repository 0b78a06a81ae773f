"""One turn of one contestant: fresh servers, what is to be prepared, and the figures."""

import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from .client import member
from .contestants import Contestant
from .contestants.contestant import Transfer
from .install import Programs
from .population import Populations
from .processes import HOST, forget_peak, memory
from .works import START, STREAM, Work
from .wrk import Load, send

IDLE_SECONDS = 1.0
BLOCK = 1024 * 1024
STREAM_SECONDS = 600

Figures = dict[str, float]


@dataclass(frozen=True)
class Turns:
    """What all turns have in common."""

    programs: Programs
    populations: Populations
    # Where stores are while a turn lasts: on a disk, so that syncing costs what it costs.
    folder: Path
    seconds: int
    warmup: int

    def take(self, kind: type[Contestant], work: Work, connections: int) -> Figures:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with ExitStack() as stack:
            stack.callback(cut, folder)
            contestant = kind(self.programs, self.populations)
            ready = contestant.open(stack, folder, work.population)
            if work.kind == START:
                time.sleep(IDLE_SECONDS)
                figures = {"ready_ms": ready * 1000}
            elif work.kind == STREAM:
                figures = self.stream(contestant, contestant.stream(), work.size, folder)
            else:
                figures = self.load(contestant, work, connections, folder)
            figures |= memory(contestant.pids())
        # What is still to be written must not be the next one's burden.
        os.sync()
        return figures

    def load(self, contestant: Contestant, work: Work, connections: int, folder: Path) -> Figures:
        load = prepare(contestant, work)
        # Backwards, so that URLs that are to be used once are still new when it counts.
        warmup = replace(load, targets=load.targets[::-1])
        send(warmup, contestant.port, connections, self.warmup, folder)
        figures = send(load, contestant.port, connections, self.seconds * work.longer, folder)
        if work.size:
            figures["mib_per_second"] = figures["per_second"] * work.size / BLOCK
        return figures

    def stream(self, contestant: Contestant, transfer: Transfer, size: int, folder: Path) -> Figures:
        """One connection, one large file each way."""
        file = self.large_file(size)
        base, answer = f"http://{HOST}:{contestant.port}", folder / "answer"
        headers = [word for name, value in transfer.headers.items() for word in ("-H", f"{name}: {value}")]
        pids = contestant.pids()

        def curl(*arguments: str | Path) -> tuple[float, float]:
            """MiB a second, and by how many KiB the peak exceeds what was resident before."""
            forget_peak(pids)
            before = memory(pids)["resident_kib"]
            command = ["curl", "--silent", "--show-error", "--fail", "-H", "Expect:", *headers]
            told = ["--write-out", "%{time_total}", *arguments]
            seconds = float(
                subprocess.run([*command, *told], check=True, capture_output=True, timeout=STREAM_SECONDS).stdout
            )
            return size / BLOCK / seconds, max(memory(pids)["peak_kib"] - before, 0)

        os.sync()
        up = curl("--request", transfer.method, "--upload-file", file, "--output", answer, base + transfer.upload)
        id_ = member(transfer.id_at, json.loads(answer.read_bytes())) if transfer.id_at else ""
        down = curl("--output", "/dev/null", base + transfer.download.format(id_))
        return {
            "up_mib_per_second": up[0],
            "up_growth_kib": up[1],
            "down_mib_per_second": down[0],
            "down_growth_kib": down[1],
        }

    def large_file(self, size: int) -> Path:
        file = self.folder / "large.bin"
        if not file.exists():
            with file.open("wb") as out:
                for _ in range(size // BLOCK):
                    out.write(os.urandom(BLOCK))
        return file


def cut(folder: Path) -> None:
    """Frees what the files take, and leaves their inodes: see README.md."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)


def prepare(contestant: Contestant, work: Work) -> Load:
    prepare = getattr(contestant, work.kind)
    if work.population:
        return prepare(work.question, work.population)
    return prepare(work.size) if work.size else prepare()
