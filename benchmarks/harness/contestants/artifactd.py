"""artifactd on each pair of providers. Every request has a token that is checked."""

import base64
import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from ..client import Client
from ..population import Population
from ..processes import HOST, Failed, Server, environment, running
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

JSON = {"Content-Type": "application/json"}
PAGE = 100
MOST_IN_REDIS = 100_000
PAGES = 5
# A day: longer than any run.
LIFE = "1d"
RECORDS = "/v1/artifacts"
STORE = f"{RECORDS}?scope=user&filename="

# Each leaves at least a page of the smallest population: see benches/record/mod.rs.
QUESTIONS = {
    "newest": [{}],
    "filtered": [
        {"mime_prefix": mime, "meta.quarter": quarter}
        for mime in ("application/pdf", "image/")
        for quarter in ("Q1", "Q2", "Q3", "Q4")
    ],
    "words": [{"q": word} for word in ("forecast", "invoice", "minutes", "report", "review")],
}


class Artifactd(Contestant):
    server: Server
    token: dict[str, str]

    def settings(self, stack: ExitStack, folder: Path, population: Population | None) -> dict[str, str]:
        raise NotImplementedError

    def open(self, stack: ExitStack, folder: Path, population: Population | None) -> float:
        settings = {
            "ARTIFACTD_BIND": f"{HOST}:{new_port(self)}",
            "ARTIFACTD_DATA_DIR": str(folder / "data"),
        } | self.settings(stack, folder, population)
        command = [self.programs.artifactd, "token", "--user", USER, "--ttl", LIFE]
        minted = subprocess.run(
            command, env=environment(settings), cwd=folder, check=True, capture_output=True, text=True
        )
        self.token = {"Authorization": f"Bearer {minted.stdout.strip()}"}
        self.server = stack.enter_context(running([self.programs.artifactd, "serve"], folder, settings))
        return self.server.wait_until_ready(self.port)

    def pids(self) -> list[int]:
        return self.server.pids()

    def authorized(self) -> Client:
        return self.client(self.token)

    def fill(self, size: int, count: int = FILES) -> list[str]:
        """Stores some files; their ids."""
        return fill_through(self.authorized(), STORE, size, count)

    def store(self, size: int) -> Load:
        return Load("POST", [STORE + FILENAME], self.token | {"Content-Type": BYTES}, unique_body(size))

    def retrieve(self, size: int) -> Load:
        return Load("GET", [f"{RECORDS}/{id_}/content" for id_ in self.fill(size)], self.token)

    def metadata(self) -> Load:
        return Load("GET", [f"{RECORDS}/{id_}" for id_ in self.fill(1024)], self.token)

    def update(self, size: int) -> Load:
        targets = [f"{RECORDS}/{id_}/content" for id_ in self.fill(size, FILES_TO_REPLACE)]
        return Load("PUT", targets, self.token | {"Content-Type": BYTES}, unique_body(size))

    def batch(self, size: int) -> Load:
        def item(number: int) -> dict[str, str]:
            data = base64.b64encode(contents(size, 1)[0]).decode()
            return {"filename": f"{number}-{FILENAME}", "mime": BYTES, "scope": "user", "data_base64": data}

        # The mark for a unique number works once, so only the first item has a name of its own.
        items = [item(0)] + [item(n) | {"filename": f"{n}.bin"} for n in range(1, BATCH)]
        body = json.dumps({"items": items}).encode()
        return Load("POST", [f"{RECORDS}/batch"], self.token | JSON, body, artifacts=BATCH)

    def presign(self) -> Load:
        targets = [f"{RECORDS}/{id_}/presign" for id_ in self.fill(1024)]
        return Load("POST", targets, self.token | JSON, b'{"expires":3600}')

    def search(self, question: str, _population: Population) -> Load:
        """Pages of 100: of the newest, the first few; of other questions, the first for each choice of values."""
        client, targets = self.authorized(), []
        for parameters in QUESTIONS[question]:
            first = f"{RECORDS}?" + urlencode({"scope": "user", "limit": str(PAGE)} | parameters)
            target = first
            for _ in range(PAGES if question == "newest" else 1):
                page = json.loads(client.send("GET", target))
                if len(page["items"]) != PAGE:
                    raise Failed(f"{target} found {len(page['items'])} artifacts")
                targets.append(target)
                target = first + "&" + urlencode({"cursor": page["next_cursor"]})
        return Load("GET", targets, self.token)

    def stream(self) -> Transfer:
        return Transfer(
            "POST",
            f"{STORE}large.bin",
            f"{RECORDS}/{{}}/content",
            id_at="artifact_id",
            headers=self.token | {"Content-Type": BYTES},
        )


class ArtifactdOnFilesystem(Artifactd):
    name = "artifactd-filesystem"
    title = "artifactd: filesystem + SQLite"

    def settings(self, _: ExitStack, __: Path, population: Population | None) -> dict[str, str]:
        return {"ARTIFACTD_DATA_DIR": str(self.populations.database(population))} if population else {}


class ArtifactdSigned(Contestant):
    """The URLs that the service signs itself: no token, but a signature that is checked."""

    name = "artifactd-signed"
    title = "artifactd: filesystem + SQLite, signed URLs"

    def open(self, stack: ExitStack, folder: Path, population: Population | None) -> float:
        self.service = ArtifactdOnFilesystem(self.programs, self.populations)
        ready = self.service.open(stack, folder, population)
        self.port = self.service.port
        return ready

    def pids(self) -> list[int]:
        return self.service.pids()

    def urls(self, targets: list[str], body: bytes, url: str) -> list[str]:
        client = self.service.authorized()
        answers = client.send_all(targets, lambda target: client.send("POST", target, body, JSON))
        parts = [urlsplit(json.loads(answer)[url]) for answer in answers]
        return [f"{part.path}?{part.query}" for part in parts]

    def store(self, size: int) -> Load:
        """Into uploads that are open, over what came before; completing them is not measured."""
        order = json.dumps({"filename": "file.bin", "scope": "user", "mime": BYTES}).encode()
        targets = self.urls(["/v1/uploads"] * FILES_TO_REPLACE, order, "upload_url")
        return Load("PUT", targets, {"Content-Type": BYTES}, unique_body(size))

    def retrieve(self, size: int) -> Load:
        targets = [f"{RECORDS}/{id_}/presign" for id_ in self.service.fill(size)]
        return Load("GET", self.urls(targets, b'{"duration":"long"}', "url"))


class ArtifactdOnMemory(Artifactd):
    name = "artifactd-memory"
    title = "artifactd: memory + memory"

    @classmethod
    def takes_part(cls, work: Work) -> bool:
        """Not in searching: the memory of a process cannot be filled from outside."""
        return not work.population and super().takes_part(work)

    def settings(self, *_: object) -> dict[str, str]:
        return {"ARTIFACT_PROVIDER": "memory", "SESSION_PROVIDER": "memory"}


class ArtifactdOnS3(Artifactd):
    name = "artifactd-s3"
    title = "artifactd: S3 (Garage) + Redis"
    stores: Stores

    @classmethod
    def takes_part(cls, work: Work) -> bool:
        """Redis keeps all records and their index in memory."""
        return not (work.population and work.population.artifacts > MOST_IN_REDIS) and super().takes_part(work)

    def settings(self, stack: ExitStack, folder: Path, population: Population | None) -> dict[str, str]:
        self.stores = (
            self.populations.stores(population)
            if population
            else stack.enter_context(stores(self.programs, folder / "stores"))
        )
        return self.stores.settings

    def presign(self) -> Load:
        """While the store stands still, which shows that it is not asked."""
        load = super().presign()
        return Load(load.method, load.targets, load.headers, load.body, during=self.stores.without_s3)
