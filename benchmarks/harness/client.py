"""Requests that prepare a measurement; none of them is measured."""

import http.client
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .processes import HOST, Failed

AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")


class Client:
    """Keeps one connection for each thread."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.port = port
        self.headers = headers
        self.local = threading.local()

    def send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """The body of the answer, which has to be a success."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        connection: http.client.HTTPConnection = self.local.connection
        connection.request(method, target, body, self.headers | (headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        if not 200 <= answer.status < 300:
            raise Failed(f"{method} {target.split('?', maxsplit=1)[0]}: {answer.status} {content[:500]!r}")
        return content

    def send_all(self, calls: Iterable[T], send: Callable[[T], R]) -> list[R]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(send, calls))


def member(path: str, document: Any) -> Any:  # noqa: ANN401
    """What is at `path`, such as `results.0.id`, in a JSON document."""
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document
