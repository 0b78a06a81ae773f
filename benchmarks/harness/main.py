"""The command line, and the order of things."""

import argparse
import fnmatch
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from . import report
from .contestants import ALL, Contestant
from .install import ROOT, install
from .machine import describe
from .population import Populations
from .processes import Failed
from .results import Results
from .rows import CONNECTIONLESS, Row, Rows
from .turn import Turns
from .works import MIB, Work, all_works

QUICK = {
    "rounds": 1,
    "seconds": 1,
    "warmup": 1,
    "connections": [16],
    "search_sizes": [1_000, 10_000],
    "stream_mib": 64,
    "garage": 1,
}
FULL = {
    "rounds": 3,
    "seconds": 5,
    "warmup": 2,
    "connections": [16, 128],
    "search_sizes": [1_000, 100_000, 1_000_000],
    "stream_mib": 1024,
    "garage": 3,
}
# Found by trying: what a turn takes beside the load.
SECONDS_OF_SETUP = 3


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, stop)
    works = all_works(options.search_sizes, options.search_others, options.stream_mib * MIB)
    works = [work for work in works if matches(work.name, options.works)]
    contestants = [kind for kind in ALL if matches(kind.name, options.contestants)]
    cells = plan(works, contestants, options.connections)
    turns = sum(len(entries) for _, entries in cells) * options.rounds
    minutes = turns * (options.seconds + options.warmup + SECONDS_OF_SETUP) / 60
    say(f"{len(cells)} tables of figures, {turns} turns, about {minutes:.0f} minutes and the filling for the search")
    if options.list:
        for connections, entries in cells:
            names = ", ".join(dict.fromkeys(kind.name for _, kind in entries))
            print(f"{entries[0][0].group}{f', {connections} connections' if connections else ''}: {names}")
        return 0
    try:
        run(options, works, cells)
    except Failed as failed:
        print(f"benchmarks/run: {failed}", file=sys.stderr)
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run", description="Measure artifactd beside its origin, nginx and Garage."
    )
    parser.add_argument("--quick", action="store_true", help="everything once, for a second: to try the harness out")
    parser.add_argument("--works", metavar="PATTERN", nargs="+", default=["*"], help="only these, such as 'store*'")
    parser.add_argument("--contestants", metavar="PATTERN", nargs="+", default=["*"], help="only these")
    parser.add_argument("--connections", metavar="N", type=int, nargs="+")
    parser.add_argument("--rounds", metavar="N", type=int)
    parser.add_argument("--seconds", metavar="N", type=int, help="that count, in each turn")
    parser.add_argument("--warmup", metavar="N", type=int, help="seconds before")
    parser.add_argument("--search-sizes", metavar="N", type=int, nargs="+", help="artifacts of the user who searches")
    parser.add_argument("--search-others", metavar="N", type=int, default=10, help="of others, for each of the user's")
    parser.add_argument("--filled", metavar="FOLDER", type=Path, help="keeps the databases of the search")
    parser.add_argument("--stream-mib", metavar="N", type=int, help="size of the one large file")
    parser.add_argument("--artifactd", metavar="PATH", type=Path, help="a program that is built already")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="default: a new one in target/benchmarks")
    parser.add_argument("--list", action="store_true", help="say what would be measured")
    options = parser.parse_args()
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    options.output = options.output or ROOT / "target" / "benchmarks" / time.strftime("%Y-%m-%d-%H%M%S")
    return options


def matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


Entry = tuple[Work, type[Contestant]]
# What is measured in turns, with how many connections.
Cell = tuple[int, list[Entry]]


def plan(works: list[Work], contestants: list[type[Contestant]], connections: list[int]) -> list[Cell]:
    groups: dict[str, list[Entry]] = {}
    for work in works:
        entries = [(work, kind) for kind in contestants if kind.takes_part(work)]
        groups.setdefault(work.group, []).extend(entries)
    return [
        (number, entries)
        for entries in groups.values()
        if entries
        for number in (connections if entries[0][0].is_load else [CONNECTIONLESS])
    ]


def run(options: argparse.Namespace, works: list[Work], cells: list[Cell]) -> None:
    entries = [entry for _, entries in cells for entry in entries]
    programs = install(
        {kind.name for _, kind in entries},
        searching=any(work.population for work, _ in entries),
        garage_opt_level=options.garage,
        artifactd=options.artifactd and options.artifactd.resolve(),
        cache=Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "artifactd-benchmarks",
    )
    output = options.output.resolve()
    data = output / "data"
    data.mkdir(parents=True)
    try:
        with ExitStack() as stack:
            populations = Populations(programs, (options.filled or data).resolve(), stack, say)
            turns = Turns(programs, populations, data, options.seconds, options.warmup)
            chosen = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
            results = Results(chosen, describe(programs, data), works, Rows(), populations.notes)
            for connections, entries in cells:
                for number in range(1, options.rounds + 1):
                    for work, kind in entries:
                        results.rows.add(take(turns, work, kind, connections, number))
                report.write(results, output)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    say(f"the results are in {output}")


def take(turns: Turns, work: Work, kind: type[Contestant], connections: int, number: int) -> Row:
    """A turn. One that fails is noted and the others go on."""
    figures, failure = {}, ""
    try:
        figures = turns.take(kind, work, connections)
    except (Failed, OSError, ValueError) as failed:
        failure = str(failed)
    shown = failure or " ".join(f"{name}={report.text(value)}" for name, value in figures.items())
    say(f"{work.name}, {connections} connections, {kind.name}, round {number}: {shown}")
    return Row(work.name, connections, kind.name, number, figures, failure)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def stop(*_: object) -> NoReturn:
    """Ends as an error does, so that servers are ended, too; once, whatever comes meanwhile."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)
