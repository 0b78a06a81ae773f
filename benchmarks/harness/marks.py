"""What artifactd has to reach."""

from collections.abc import Iterator
from dataclasses import dataclass

from .rows import CONNECTIONLESS, Rows
from .works import START, STREAM, Work

OURS, OURS_ON_S3 = "artifactd-filesystem", "artifactd-s3"


@dataclass(frozen=True)
class Mark:
    """At least, or at most, so much; by itself, or relative to another's figure of the same round."""

    text: str
    # Of the work's name.
    work: str
    limit: float
    figure: str = "per_second"
    contestant: str = OURS
    than: str | None = None
    at_most: bool = False
    # Only with so many connections.
    connections: int | None = None
    unit: str = "×"
    scale: float = 1


@dataclass(frozen=True)
class Verdict:
    text: str
    wanted: str
    found: str
    reached: bool | None


def all_marks(works: list[Work]) -> list[Mark]:
    marks = [
        Mark("retrieve 1 KiB against the origin on memory", "retrieve 1 KiB", 12, than="peer-memory"),
        Mark("retrieve 1 KiB against nginx", "retrieve 1 KiB", 0.4, than="nginx"),
        Mark("retrieve 1 MiB against nginx", "retrieve 1 MiB", 0.7, than="nginx"),
        Mark("store 1 KiB against nginx", "store 1 KiB", 1, than="nginx", connections=128),
        Mark("store 1 MiB against nginx", "store 1 MiB", 0.8, than="nginx"),
        Mark("metadata against a file of 1 KiB from nginx", "metadata", 0.5, than="nginx"),
    ]
    marks += [
        Mark(f"{what} 1 MiB on S3 + Redis against Garage", f"{what} 1 MiB", 0.6, contestant=OURS_ON_S3, than="garage")
        for what in ("store", "retrieve")
    ]
    marks.append(Mark("presign on S3, the store standing still", "presign", 5000, contestant=OURS_ON_S3, unit="/s"))
    for work in works:
        if work.kind == STREAM:
            marks += stream_marks(work.name)
    marks.append(Mark("resident when idle", START, 40, "resident_kib", at_most=True, unit=" MiB", scale=1 / 1024))
    marks.append(Mark("start to ready", START, 100, "ready_ms", at_most=True, unit=" ms"))
    return marks


def stream_marks(work: str) -> Iterator[Mark]:
    for way, name in (("up", "upload"), ("down", "download")):
        growth, speed = f"{way}_growth_kib", f"{way}_mib_per_second"
        yield Mark(f"{work}, {name}: growth", work, 32, growth, at_most=True, unit=" MiB", scale=1 / 1024)
        yield Mark(f"{work}, {name} against nginx", work, 0.7, speed, than="nginx")


def judge(marks: list[Mark], works: list[Work], rows: Rows) -> list[Verdict]:
    verdicts = [verdict for mark in marks for verdict in judge_one(mark, rows)]
    return verdicts + list(judge_search(works, rows))


def judge_one(mark: Mark, rows: Rows) -> Iterator[Verdict]:
    for connections in rows.connections([mark.work]):
        if mark.connections not in (None, connections):
            continue
        ours = (mark.work, connections, mark.contestant)
        if mark.than:
            value = rows.ratio(mark.figure, ours, (mark.work, connections, mark.than))
        else:
            value = rows.median(*ours, mark.figure)
        yield verdict(mark, connections, value)


def judge_search(works: list[Work], rows: Rows) -> Iterator[Verdict]:
    """The largest population against the smallest."""
    for question in dict.fromkeys(work.question for work in works if work.population):
        sizes = [work for work in works if work.population and work.question == question]
        small, large = sizes[0], sizes[-1]
        for connections in rows.connections([large.name]):
            value = rows.ratio("p99_ms", (large.name, connections, OURS), (small.name, connections, OURS))
            text = f"{large.name} against {small.population.artifacts:,}: p99"
            yield verdict(Mark(text, large.name, 1.5, at_most=True), connections, value)


def verdict(mark: Mark, connections: int, value: float | None) -> Verdict:
    where = "" if connections == CONNECTIONLESS else f", {connections} connections"
    wanted = f"{'≤' if mark.at_most else '≥'} {mark.limit:,g}{mark.unit}"
    if value is None:
        return Verdict(mark.text + where, wanted, "not measured", None)
    value *= mark.scale
    reached = value <= mark.limit if mark.at_most else value >= mark.limit
    return Verdict(mark.text + where, wanted, f"{number(value)}{mark.unit}", reached)


def number(value: float) -> str:
    """With three digits that count."""
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.001, 3)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return "0"
