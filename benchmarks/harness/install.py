"""What has to be there: programs of the system, the peer, Garage, and artifactd itself."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from .processes import Failed

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
PEER = BENCHMARKS / "peer"
WITH_SERVICES = ROOT / "scripts" / "with-services"
# Where programs are that only administrators have on their path.
SYSTEM = "/usr/sbin:/sbin"


@dataclass(frozen=True)
class Programs:
    artifactd: Path
    populate: Path
    nginx: Path
    python: Path
    # How much the compiler did for Garage; 1 is what the tests have.
    garage_opt_level: int

    @property
    def uvicorn(self) -> Path:
        return self.python.with_name("uvicorn")


def install(
    contestants: set[str], *, searching: bool, garage_opt_level: int, artifactd: Path | None, cache: Path
) -> Programs:
    """Installs what is needed and missing. `artifactd` is a program that is there already."""
    needed = ["wrk", "curl"] + (["nginx"] if "nginx" in contestants else [])
    missing = [name for name in needed if find(name) is None]
    if missing:
        install_packages(missing)
    if any(name.endswith(("s3", "garage")) for name in contestants):
        settings = os.environ | garage_settings(garage_opt_level)
        subprocess.run([WITH_SERVICES, "true"], env=settings, check=True)
    has_peer = any(name.startswith("peer") for name in contestants)
    targets = [] if artifactd else ["--bin", "artifactd"]
    release = build(targets + (["--example", "populate"] if searching else []))
    return Programs(
        artifactd=artifactd or release / "artifactd",
        populate=release / "examples" / "populate",
        nginx=find("nginx") or Path("nginx"),
        python=install_peer(cache) if has_peer else Path(sys.executable),
        garage_opt_level=garage_opt_level,
    )


def garage_settings(opt_level: int) -> dict[str, str]:
    return {"ARTIFACTD_TEST_GARAGE_OPT_LEVEL": str(opt_level)}


def find(program: str) -> Path | None:
    found = shutil.which(program, path=f"{os.environ['PATH']}:{SYSTEM}")
    return Path(found) if found else None


def install_packages(packages: list[str]) -> None:
    """Debian's; an administrator's rights are needed."""
    if not shutil.which("apt-get"):
        raise Failed(f"please install {', '.join(packages)}")
    print(f"installing {', '.join(packages)}", file=sys.stderr)
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True, stdout=sys.stderr)
    quietly = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq"]
    subprocess.run([*quietly, "--no-install-recommends", *packages], check=True, stdout=sys.stderr)


def install_peer(cache: Path) -> Path:
    """A Python of its own with chuk-artifacts, FastAPI and uvicorn."""
    requirements = PEER / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / f"peer-{digest}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        print("installing chuk-artifacts, FastAPI and uvicorn", file=sys.stderr)
        try:
            venv.create(folder, clear=True, with_pip=True)
        except subprocess.CalledProcessError:
            install_packages(["python3-venv"])
            venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True, stdout=sys.stderr)
        done.touch()
    return python


def build(targets: list[str]) -> Path:
    """Builds for release; where the programs are then."""
    if targets:
        subprocess.run(["cargo", "build", "--release", "--locked", *targets], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release"
