"""kill -9, again and again, at random: no attempt that went on is lost, none is recorded twice.

In the end the record must have, for every host, at least what was done and at most what was begun: what was under way
at a kill may be either.

    python -m tests.e2e.kill_nine [school|journal] [KILLS] [SEED]
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from proxy.record.journal import segments
from tests.e2e.bench import BEGUN, DONE, KEEPER, Bench, Notes, Trial
from tests.e2e.journal_load import journal_load
from tests.e2e.school_load import school_load
from tests.integration.gateway.clients import eventually

LONGEST_PAUSE = 1.5  # seconds before a kill
WITHIN = 60.0  # seconds for what must come about, on a machine that may be busy
LOADS: Mapping[str, Callable[[Path], AbstractContextManager[Trial]]] = {"school": school_load, "journal": journal_load}


@dataclass(frozen=True)
class Result:
    kills: Counter[str]
    begun: int
    done: int
    recorded: int
    lost: Counter[str]
    twice: Counter[str]

    def __str__(self) -> str:
        killed = ", ".join(f"{name} {number}" for name, number in sorted(self.kills.items()))
        told = f"{self.begun} begun, {self.done} done, {self.recorded} recorded"
        return f"killed: {killed}; {told}: {self.lost.total()} lost, {self.twice.total()} twice"


def run(folder: Path, load: str, kills: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Result:
    """Kill ``kills`` times at random under load, let the keeper finish, and compare."""
    chance, killed = random.Random(seed), Counter[str]()  # noqa: S311 -- repeatable chance is the point
    with LOADS[load](folder) as trial:
        bench = trial.bench
        for number in range(1, kills + 1):
            if number % 2:
                wait_for_work(bench.notes)
            name = chance.choice(sorted(trial.victims))
            eventually(trial.victims[name].is_alive, within=WITHIN)
            time.sleep(chance.uniform(0, LONGEST_PAUSE))
            trial.victims[name].kill()
            killed[name] += 1
            say(f"kill {number}: {name}; {bench.notes.counts(DONE).total()} done so far")
        wait_for_work(bench.notes)
    with bench.process("last-keeper", KEEPER):
        eventually(lambda: not segments(bench.settings.journal_dir), within=WITHIN)
    return compared(bench, killed)


def wait_for_work(notes: Notes) -> None:
    """Every other kill finds everything at work; the others, what was killed before perhaps still starting."""
    before = notes.counts(DONE).total()
    eventually(lambda: notes.counts(DONE).total() > before, within=WITHIN, every=0.1)


def compared(bench: Bench, kills: Counter[str]) -> Result:
    begun, done, recorded = bench.notes.counts(BEGUN), bench.notes.counts(DONE), bench.recorded()
    return Result(kills, begun.total(), done.total(), recorded.total(), lost=done - recorded, twice=recorded - begun)


def main(arguments: Sequence[str]) -> int:
    load, kills, seed = (*arguments, *("school", "50", "1")[len(arguments) :])
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), load, int(kills), int(seed), say=lambda text: print(text, flush=True))  # noqa: T201 -- a script
    print(result)  # noqa: T201 -- a script
    return 1 if result.lost or result.twice else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
