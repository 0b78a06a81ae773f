"""What is measured."""

from dataclasses import dataclass

from .population import Population

KIB = 1024
MIB = 1024 * KIB
SIZES = {"1 KiB": KIB, "64 KiB": 64 * KIB, "1 MiB": MIB}
QUESTIONS = {
    "newest": "the newest: the first pages of all of the user's",
    "filtered": "of a type and with a value of metadata",
    "words": "with a word in name or summary",
}
START = "start"
STREAM = "stream"


@dataclass(frozen=True)
class Work:
    """One thing to do. Works of the same group are measured in turns, like contestants."""

    group: str
    kind: str
    size: int = 0
    question: str = ""
    population: Population | None = None
    # Times as long as others: its requests take long, and one that is not answered when time is up does not count.
    longer: int = 1

    @property
    def name(self) -> str:
        return f"{self.group}, {self.population.artifacts:,} artifacts" if self.population else self.group

    @property
    def is_load(self) -> bool:
        return self.kind not in (START, STREAM)


def all_works(search_sizes: list[int], others: int, stream_size: int) -> list[Work]:
    works = [Work("start", START)]
    works += [Work(f"store {label}", "store", size, longer=2 if size == MIB else 1) for label, size in SIZES.items()]
    works += [Work(f"retrieve {label}", "retrieve", size) for label, size in SIZES.items()]
    works.append(Work("metadata", "metadata"))
    works.append(Work("update 1 KiB", "update", KIB))
    works.append(Work("batch of 100 × 1 KiB", "batch", KIB, longer=5))
    works.append(Work("presign", "presign"))
    works.append(Work(f"stream {stream_size // MIB} MiB", STREAM, stream_size))
    for question in QUESTIONS:
        works += [Work(f"search {question}", "search", 0, question, Population(size, others)) for size in search_sizes]
    return works
