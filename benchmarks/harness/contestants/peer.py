"""The origin as a service: benchmarks/peer/app.py."""

import base64
import json
import os
from contextlib import ExitStack
from pathlib import Path

from ..install import PEER
from ..population import Population
from ..processes import HOST, Server, running
from ..stores import Stores, stores
from ..works import Work
from ..wrk import Load, unique_body
from .contestant import (
    BATCH,
    BYTES,
    FILENAME,
    FILES,
    FILES_TO_REPLACE,
    USER,
    Contestant,
    Transfer,
    contents,
    fill_through,
    new_port,
)

MOST_BY_HTTP = 1_000
STORE = "/artifacts?user_id={user}&filename="


class Peer(Contestant):
    server: Server
    # In memory, each process has records of its own.
    workers = 1
    files = FILES
    files_to_replace = FILES_TO_REPLACE

    def settings(self, stack: ExitStack, folder: Path) -> dict[str, str]:
        raise NotImplementedError

    def open(self, stack: ExitStack, folder: Path, _: Population | None) -> float:
        settings = {"ARTIFACT_SANDBOX_ID": "default"} | self.settings(stack, folder)
        command = [self.programs.uvicorn, "app:app", "--app-dir", PEER, "--host", HOST]
        command += ["--port", str(new_port(self)), "--workers", str(self.workers), "--loop", "uvloop"]
        command += ["--http", "httptools", "--no-access-log", "--log-level", "error"]
        self.server = stack.enter_context(running(command, folder, settings))
        return self.server.wait_until_ready(self.port)

    def pids(self) -> list[int]:
        return self.server.pids()

    def fill(self, size: int, count: int | None = None, user: str = USER) -> list[str]:
        """Stores some files; their ids."""
        return fill_through(self.client(), STORE.format(user=user), size, count or self.files)

    def store(self, size: int) -> Load:
        return Load("POST", [STORE.format(user=USER) + FILENAME], {"Content-Type": BYTES}, unique_body(size))

    def retrieve(self, size: int) -> Load:
        return Load("GET", [f"/artifacts/{id_}/content?user_id={USER}" for id_ in self.fill(size)])

    def metadata(self) -> Load:
        return Load("GET", [f"/artifacts/{id_}" for id_ in self.fill(1024)])

    def update(self, size: int) -> Load:
        targets = [f"/artifacts/{id_}/content" for id_ in self.fill(size, self.files_to_replace)]
        return Load("PUT", targets, {"Content-Type": BYTES}, unique_body(size))

    def batch(self, size: int) -> Load:
        def item(number: int) -> dict[str, str]:
            data = base64.b64encode(contents(size, 1)[0]).decode()
            return {"filename": f"{number}.bin", "mime": BYTES, "data_base64": data}

        body = json.dumps({"items": [item(number) for number in range(BATCH)]}).encode()
        target = f"/batch?user_id={USER}"
        return Load("POST", [target], {"Content-Type": "application/json"}, body, artifacts=BATCH)

    def stream(self) -> Transfer:
        target = f"/streams?user_id={USER}&filename=large.bin"
        return Transfer("POST", target, f"/streams/{{}}?user_id={USER}", id_at="artifact_id")


class PeerOnMemory(Peer):
    name = "peer-memory"
    title = "chuk-artifacts 0.8: memory"

    @classmethod
    def takes_part(cls, work: Work) -> bool:
        """It finds neither words nor pages, and each file has to be stored through HTTP."""
        can = not work.population or (work.question == "newest" and work.population.artifacts <= MOST_BY_HTTP)
        return can and super().takes_part(work)

    def settings(self, *_: object) -> dict[str, str]:
        return {"ARTIFACT_PROVIDER": "memory", "SESSION_PROVIDER": "memory"}

    def search(self, _: str, population: Population) -> Load:
        for other in range(population.others):
            self.fill(16, population.artifacts, f"other-{other}")
        self.fill(16, population.artifacts)
        return Load("GET", [f"/artifacts?user_id={USER}&limit=100"])


class PeerOnFilesystem(Peer):
    name = "peer-filesystem"
    title = "chuk-artifacts 0.8: filesystem"

    def settings(self, _: ExitStack, folder: Path) -> dict[str, str]:
        root = str(folder / "artifacts")
        return {"ARTIFACT_PROVIDER": "filesystem", "ARTIFACT_FS_ROOT": root, "SESSION_PROVIDER": "memory"}


class PeerOnS3(Peer):
    name = "peer-s3"
    title = "chuk-artifacts 0.8: S3 (Garage) + Redis"
    workers = os.cpu_count() or 1
    # It takes 3 or 4 a second, and has none of them in memory, however few they are.
    files = 16
    files_to_replace = 128
    stores: Stores

    def settings(self, stack: ExitStack, folder: Path) -> dict[str, str]:
        self.stores = stack.enter_context(stores(self.programs, folder / "stores"))
        return self.stores.settings

    def presign(self) -> Load:
        targets = [f"/artifacts/{id_}/presign?expires=3600" for id_ in self.fill(1024)]
        return Load("POST", targets, during=self.stores.without_s3)
