"""The results as Markdown."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contestants import ALL
from .marks import all_marks, judge, number
from .results import Results
from .rows import Row, Rows
from .works import QUESTIONS, START, STREAM, Work

TITLES = {contestant.name: contestant.title for contestant in ALL}
OURS = [name for name in TITLES if name.startswith("artifactd")]
OTHERS = [name for name in TITLES if name not in OURS]
MIB_IN_KIB = 1024


@dataclass(frozen=True)
class Column:
    title: str
    figure: str
    scale: float = 1


OF_START = [Column("ready after, ms", "ready_ms"), Column("resident when idle, MiB", "resident_kib", 1 / MIB_IN_KIB)]
OF_STREAM = [
    Column("upload, MiB/s", "up_mib_per_second"),
    Column("growth, MiB", "up_growth_kib", 1 / MIB_IN_KIB),
    Column("download, MiB/s", "down_mib_per_second"),
    Column("growth, MiB", "down_growth_kib", 1 / MIB_IN_KIB),
]
OF_LOAD = [
    Column("a second", "per_second"),
    Column("MiB/s", "mib_per_second"),
    Column("p50, ms", "p50_ms"),
    Column("p99, ms", "p99_ms"),
    Column("p99.9, ms", "p999_ms"),
    Column("resident, MiB", "resident_kib", 1 / MIB_IN_KIB),
    Column("peak, MiB", "peak_kib", 1 / MIB_IN_KIB),
]
TIMES_OF_STREAM = {"up_mib_per_second": "Upload: times as fast as", "down_mib_per_second": "Download: times as fast as"}
TIMES_OF_LOAD = {"per_second": "Times as many a second as"}


def write(results: Results, folder: Path) -> None:
    told = {
        "options": results.options,
        "machine": results.machine,
        "filling": results.filling,
        "rows": results.rows.as_json(),
    }
    (folder / "results.json").write_text(json.dumps(told, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(results))
    (folder / "machine.txt").write_text("".join(lines_of(results.machine)))


def markdown(results: Results) -> str:
    works, rows = results.works, results.rows
    parts = ["# Benchmark results\n", introduction(results.options, works), "## Marks\n", marks(works, rows)]
    groups: dict[str, list[Work]] = {}
    for work in works:
        groups.setdefault(work.group, []).append(work)
    for group, of_group in groups.items():
        if rows.connections({work.name for work in of_group}):
            parts += [f"## {group[0].upper()}{group[1:]}\n", *section(of_group, rows)]
    if results.filling:
        parts += ["## Filled past the service, for the search\n", bullets(results.filling)]
    parts += ["## Failures and errors\n", failures(rows), "## Machine\n", bullets(lines_of(results.machine))]
    return "\n".join(parts)


def lines_of(machine: dict[str, str]) -> list[str]:
    return [f"{name}: {value}\n" for name, value in machine.items()]


def introduction(options: dict[str, Any], works: list[Work]) -> str:
    longer = "".join(f", {options['seconds'] * work.longer} s for {work.name}" for work in works if work.longer > 1)
    quick = "\n\n**A quick run: too short for conclusions.**" if options["quick"] else ""
    return (
        f"Made by `benchmarks/run`; `benchmarks/README.md` says what is compared with what, and how.{quick}\n\n"
        f"{options['rounds']} rounds in which the contestants took turns, each on fresh servers and empty stores, with "
        f"{options['warmup']} s to warm up and {options['seconds']} s that count{longer}. "
        "Figures are medians over the rounds; ratios are made within each round, then their median is taken. Clients, "
        "servers and stores share this machine's cores: wrk has its part of them, the same for everyone.\n"
    )


def marks(works: list[Work], rows: Rows) -> str:
    lines = []
    for verdict in judge(all_marks(works), works, rows):
        reached = {True: "yes", False: "**no**", None: "–"}[verdict.reached]
        lines.append([verdict.text, verdict.wanted, verdict.found, reached])
    return table(["mark", "wanted", "found", "reached"], lines, left=1)


def section(works: list[Work], rows: Rows) -> Iterable[str]:
    if works[0].question:
        yield f"Pages of 100: {QUESTIONS[works[0].question]}.\n"
    yield figures(works, rows, columns_of(works[0]))
    for figure, title in {START: {}, STREAM: TIMES_OF_STREAM}.get(works[0].kind, TIMES_OF_LOAD).items():
        compared = ratios(works, rows, figure)
        if compared:
            yield f"{title}:\n"
            yield compared


def columns_of(work: Work) -> list[Column]:
    columns = {START: OF_START, STREAM: OF_STREAM}.get(work.kind, OF_LOAD)
    return [column for column in columns if work.size or column.figure != "mib_per_second"]


def figures(works: list[Work], rows: Rows, columns: list[Column]) -> str:
    """The medians of all contestants."""
    lines = []
    for connections, work, contestant in measured(works, rows, list(TITLES)):
        medians = [rows.median(work.name, connections, contestant, column.figure) for column in columns]
        numbers = [text(value and value * column.scale) for column, value in zip(columns, medians, strict=True)]
        lines.append(place(connections, work, contestant) + numbers)
    return table(places(works) + [column.title for column in columns], lines, left=len(places(works)))


def ratios(works: list[Work], rows: Rows, figure: str) -> str:
    """Each of ours against each of the others."""
    others = list(dict.fromkeys(other for _, _, other in measured(works, rows, OTHERS)))
    lines = []
    for connections, work, ours in measured(works, rows, OURS):
        ours_there = (work.name, connections, ours)
        found = [rows.ratio(figure, ours_there, (work.name, connections, other)) for other in others]
        if any(found):
            lines.append(place(connections, work, ours) + [text(ratio) for ratio in found])
    header = places(works) + [TITLES[other] for other in others]
    return table(header, lines, left=len(places(works))) if lines else ""


def measured(works: list[Work], rows: Rows, contestants: list[str]) -> Iterable[tuple[int, Work, str]]:
    """What there are figures of, in the order of the tables."""
    for connections in rows.connections({work.name for work in works}):
        for contestant in contestants:
            for work in works:
                if rows.of(work.name, connections, contestant):
                    yield connections, work, contestant


def place(connections: int, work: Work, contestant: str) -> list[str]:
    artifacts = [f"{work.population.artifacts:,}"] if work.population else []
    return ([str(connections)] if work.is_load else []) + [TITLES[contestant], *artifacts]


def places(works: list[Work]) -> list[str]:
    artifacts = ["artifacts"] if works[0].population else []
    return (["connections"] if works[0].is_load else []) + ["contestant", *artifacts]


def failures(rows: Rows) -> str:
    def line(row: Row) -> str:
        what = row.failure or f"{row.figures['errors']:.0f} errors"
        return f"{row.work}, {row.connections} connections, {TITLES[row.contestant]}, round {row.round}: {what}"

    return bullets(map(line, rows.failures())) or "None.\n"


def bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line.rstrip()}\n" for line in lines)


def table(header: list[str], lines: Iterable[list[str]], left: int) -> str:
    """The first columns are aligned to the left, the others, which are numbers, to the right."""
    rule = [":--" if column < left else "--:" for column in range(len(header))]
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, rule, *lines])


def text(value: float | None) -> str:
    return "–" if value is None else number(value)
