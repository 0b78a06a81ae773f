"""Servers as child processes: started, awaited, measured and ended."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 60.0
PAUSE = 0.001
# What a server may know of the environment: nothing that configures it.
PASSED_ON = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "CARGO_HOME", "RUSTUP_HOME")


class Failed(Exception):  # noqa: N818
    """Something that had to work did not."""


class Server:
    """A process and the processes that it starts."""

    def __init__(self, command: list[str | Path], folder: Path, settings: dict[str, str]) -> None:
        self.began = time.perf_counter()
        self.log = folder / f"{Path(command[0]).name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self, port: int, path: str = "/readyz") -> float:
        """Seconds from the start to the first answer with status 200."""
        while time.perf_counter() - self.began < PATIENCE:
            if answers(port, path):
                return time.perf_counter() - self.began
            if self.process.poll() is not None:
                break
            time.sleep(PAUSE)
        raise Failed(f"{self.log.stem} did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        # Busy workers outlive the server that started them, and would slow down whoever has the next turn.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(command: list[str | Path], folder: Path, settings: dict[str, str] | None = None) -> Iterator[Server]:
    server = Server(command, folder, settings or {})
    try:
        yield server
    finally:
        server.stop()


def environment(settings: dict[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return inherited | settings


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def tree(pid: int) -> list[int]:
    return [pid] + [below for child in children(pid) for below in tree(child)]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def memory(pids: Iterable[int]) -> dict[str, int]:
    """KiB resident now and at most so far, of all these processes together."""
    resident, peak = 0, 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmRSS":
                resident += int(value.split()[0])
            elif name == "VmHWM":
                peak += int(value.split()[0])
    return {"resident_kib": resident, "peak_kib": peak}


def forget_peak(pids: Iterable[int]) -> None:
    """Makes what is resident now the peak."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
