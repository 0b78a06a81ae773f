"""All that a run has found."""

from dataclasses import dataclass
from typing import Any

from .rows import Rows
from .works import Work


@dataclass(frozen=True)
class Results:
    options: dict[str, Any]
    machine: dict[str, str]
    works: list[Work]
    rows: Rows
    # What it took to fill the stores for the search.
    filling: list[str]
