"""The load: what is sent, by wrk, and the figures that come of it."""

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .processes import HOST, Failed

SCRIPT = Path(__file__).with_name("load.lua")
# Becomes a number that is in no other request: see load.lua.
UNIQUE = "#" * 16
# Nothing takes so long; wrk would count it as an error.
TIMEOUT_SECONDS = 60
MOST_THREADS = 8

runs = itertools.count(1)


@dataclass(frozen=True)
class Load:
    """Requests of one kind."""

    method: str
    targets: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    # How many artifacts a request is about.
    artifacts: int = 1
    # What holds while they are sent.
    during: Callable[[], AbstractContextManager[Any]] = nullcontext


def unique_body(size: int) -> bytes:
    """Bytes that nothing can compress, and that are others in each request."""
    return UNIQUE.encode() + os.urandom(size - len(UNIQUE)).replace(b"#", b"+")


def send(load: Load, port: int, connections: int, seconds: int, folder: Path) -> dict[str, float]:
    headers = {"Host": f"{HOST}:{port}"} | load.headers
    if load.body:
        headers["Content-Length"] = str(len(load.body))
    files = {
        "headers": "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode(),
        "targets": "".join(f"{target}\n" for target in load.targets).encode(),
        "body": load.body,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    threads = min(os.cpu_count() or 1, connections, MOST_THREADS)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
    command += [f"--script={SCRIPT}", f"http://{HOST}:{port}/", "--", str(threads), str(next(runs) % 1000), load.method]
    command += [str(folder / name) for name in files]
    with load.during():
        result = subprocess.run(command, capture_output=True, timeout=seconds + 60, check=False)
    try:
        return figures(json.loads(result.stdout.splitlines()[-1]), load)
    except (IndexError, ValueError) as error:
        raise Failed(f"wrk: {result.stdout.decode()}{result.stderr.decode()}") from error


def figures(counted: dict[str, int], load: Load) -> dict[str, float]:
    answered = counted["requests"] - counted["refused"]
    found = {
        "per_second": answered * load.artifacts / (counted["microseconds"] / 1e6),
        "errors": counted["refused"] + counted["broken"],
    }
    # Without any answer there is nothing that could have a latency.
    if answered:
        found |= {f"{name}_ms": counted[f"{name}_us"] / 1000 for name in ("p50", "p99", "p999", "max")}
    return found
