"""Redis and an S3 server (Garage), as the tests have them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .install import WITH_SERVICES, Programs, garage_settings
from .processes import Failed, children, environment, name_of
from .s3 import Bucket

# The origin signs for this region, whatever it is told.
REGION = "us-east-1"
PREFIX = "ARTIFACTD_TEST_"


@dataclass(frozen=True)
class Stores:
    pid: int
    redis_url: str
    bucket: Bucket

    @property
    def settings(self) -> dict[str, str]:
        """What tells artifactd and the origin, which have the same names for it, to use them."""
        return {
            "ARTIFACT_PROVIDER": "s3",
            "ARTIFACT_BUCKET": self.bucket.name,
            "S3_ENDPOINT_URL": self.bucket.endpoint,
            "AWS_REGION": self.bucket.region,
            "AWS_ACCESS_KEY_ID": self.bucket.access_key,
            "AWS_SECRET_ACCESS_KEY": self.bucket.secret_key,
            "SESSION_PROVIDER": "redis",
            "SESSION_REDIS_URL": self.redis_url,
        }

    @property
    def s3_port(self) -> int:
        port = urlsplit(self.bucket.endpoint).port
        assert port is not None
        return port

    def garage_pids(self) -> list[int]:
        return [child for child in children(self.pid) if name_of(child) == "garage"]

    @contextlib.contextmanager
    def without_s3(self) -> Iterator[None]:
        """The S3 server stands still meanwhile: whoever asks it for anything waits."""
        stopped = self.garage_pids()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def stores(programs: Programs, folder: Path) -> Iterator[Stores]:
    """New ones, with nothing in them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = garage_settings(programs.garage_opt_level)
    settings |= {PREFIX + "S3_REGION": REGION, "TMPDIR": str(folder)}
    with (folder / "stores.log").open("wb") as log:
        process = subprocess.Popen(
            # It ends when nobody holds its standard input any more.
            [WITH_SERVICES, "sh", "-c", "env; echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(settings),
        )
    with process:
        assert process.stdout is not None
        told: dict[str, str] = {}
        while line := process.stdout.readline().strip():
            name, _, value = line.partition("=")
            told[name.removeprefix(PREFIX)] = value
        if "REDIS_URL" not in told:
            raise Failed("Redis and Garage did not start: " + (folder / "stores.log").read_text()[-2000:])
        bucket = Bucket(
            endpoint=told["S3_ENDPOINT"],
            name=told["S3_BUCKET"],
            region=told["S3_REGION"],
            access_key=told["S3_ACCESS_KEY"],
            secret_key=told["S3_SECRET_KEY"],
        )
        yield Stores(process.pid, told["REDIS_URL"], bucket)
