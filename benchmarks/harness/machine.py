"""What the figures were made on."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from .install import ROOT, Programs, find

NAMED_PACKAGES = ("chuk-artifacts", "fastapi", "uvicorn", "uvloop", "httptools")


def describe(programs: Programs, data: Path) -> dict[str, str]:
    memory_kib = int(first(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()) or 0)
    described = {
        "processor": first(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory_kib / 1024 / 1024:.1f} GiB",
        "system": first(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text()) or platform.system(),
        "kernel": platform.release(),
        "file system of the stores": says("stat", "--file-system", "--format=%T", data),
        "commit": says("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"),
        "artifactd": says(programs.artifactd, "--version"),
        "Rust": says("rustc", "--version"),
        "wrk": first(r"wrk (\S+)", says("wrk", "-v")),
        "curl": first(r"curl (\S+)", says("curl", "--version")),
        "nginx": first(r"nginx/(\S+)", says(programs.nginx, "-v")),
        "Redis": first(r"v=(\S+)", says("redis-server", "--version")),
        "Garage": f"{garage_version()}, from source with opt-level {programs.garage_opt_level}",
        "Python": platform.python_version(),
        # Without the peer, the Python is that of the harness.
        "Python packages": "" if programs.python == Path(sys.executable) else packages(programs.python),
    }
    return {name: value for name, value in described.items() if value}


def packages(python: Path) -> str:
    """Those that matter; all of them are in peer/requirements.txt."""
    installed = says(python, "-m", "pip", "freeze").splitlines()
    return " ".join(line for line in installed if line.split("==")[0] in NAMED_PACKAGES)


def garage_version() -> str:
    return first(r"garage_version=(\S+)", (ROOT / "scripts" / "with-services").read_text())


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found.group(1).strip() if found else ""


def says(program: str | Path, *arguments: str | Path) -> str:
    """What a program prints; nothing when it is not there."""
    if find(str(program)) is None:
        return ""
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).strip()
