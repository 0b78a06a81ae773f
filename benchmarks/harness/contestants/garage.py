"""Garage itself, through presigned URLs: what the S3 server costs without a service before it."""

import time
from contextlib import ExitStack
from pathlib import Path

from ..population import Population
from ..stores import Stores, stores
from ..wrk import Load, unique_body
from .contestant import FILES, Contestant, Transfer, contents

# Each is used once, unless a run is longer than they last.
URLS_TO_STORE = 20_000
URLS_TO_STORE_LARGE = 4_000
LARGE = 1024 * 1024


class Garage(Contestant):
    name = "garage"
    title = "Garage, presigned URLs"
    stores: Stores

    def open(self, stack: ExitStack, folder: Path, _: Population | None) -> float:
        began = time.perf_counter()
        self.stores = stack.enter_context(stores(self.programs, folder / "stores"))
        self.port = self.stores.s3_port
        return time.perf_counter() - began

    def pids(self) -> list[int]:
        return self.stores.garage_pids()

    def urls(self, method: str, count: int, prefix: str = "") -> list[str]:
        return [self.stores.bucket.presign(method, f"{prefix}{number}.bin") for number in range(count)]

    def store(self, size: int) -> Load:
        count = URLS_TO_STORE_LARGE if size >= LARGE else URLS_TO_STORE
        return Load("PUT", self.urls("PUT", count, "new-"), body=unique_body(size))

    def retrieve(self, size: int) -> Load:
        client = self.client()
        uploads = list(zip(self.urls("PUT", FILES), contents(size), strict=True))
        client.send_all(uploads, lambda upload: client.send("PUT", *upload))
        return Load("GET", self.urls("GET", FILES))

    def stream(self) -> Transfer:
        [upload], [download] = self.urls("PUT", 1), self.urls("GET", 1)
        return Transfer("PUT", upload, download)
