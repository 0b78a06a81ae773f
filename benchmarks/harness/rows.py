"""The figures of all turns, and what is made of them: medians, and medians of the ratios within each round."""

from collections.abc import Container
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

CONNECTIONLESS = 0


@dataclass(frozen=True)
class Row:
    """The outcome of one turn."""

    work: str
    connections: int
    contestant: str
    round: int
    figures: dict[str, float]
    failure: str = ""


class Rows:
    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def of(self, work: str, connections: int, contestant: str) -> dict[int, Row]:
        """By round; those that failed are left out."""
        wanted = (work, connections, contestant)
        rows = [row for row in self.rows if (row.work, row.connections, row.contestant) == wanted and not row.failure]
        return {row.round: row for row in rows}

    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.failure or row.figures.get("errors")]

    def connections(self, works: Container[str]) -> list[int]:
        """With how many connections these works were measured."""
        return sorted({row.connections for row in self.rows if row.work in works})

    def median(self, work: str, connections: int, contestant: str, figure: str) -> float | None:
        rows = self.of(work, connections, contestant).values()
        values = [row.figures[figure] for row in rows if figure in row.figures]
        return median(values) if values else None

    def ratio(self, figure: str, above: tuple[str, int, str], below: tuple[str, int, str]) -> float | None:
        """The median of the ratios within each round."""
        upper, lower = self.of(*above), self.of(*below)
        pairs = [(upper[number].figures, lower[number].figures) for number in upper if number in lower]
        ratios = [one[figure] / other[figure] for one, other in pairs if figure in one and other.get(figure)]
        return median(ratios) if ratios else None

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]
