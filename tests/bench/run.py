"""`make bench`: schoolgate in stock mode beside bare mitmproxy, on loopback, and what one decision costs.

    make bench ARGS="--rounds 9"        more rounds
    make bench ARGS="--quick"           two short ones: to see that it runs
    make bench ARGS="--write docs/benchmarks.md"

Each round starts every proxy anew and makes one after the other do the same work, in turning order. CPU and memory are
the kernel's figures over the proxy's whole process tree. Anything that fails ends the bench without a figure.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from tests.bench import contenders, deciding, report
from tests.bench.contenders import Running
from tests.bench.measuring import Amounts, Row, measure
from tests.bench.work import Client, WorkFailed
from tests.integration.gateway.world import World, internet

QUICK = Amounts(passed=60, refused=40, downloads=1, idle=60)
QUICK_ROUNDS, ROUNDS = 2, 5

CONTENDERS: Mapping[str, Callable[[Path, World], AbstractContextManager[Running]]] = {
    "schoolgate": contenders.schoolgate,
    "lean mitmproxy": partial(contenders.mitmproxy, "lean"),
    "mitmdump": partial(contenders.mitmproxy, "default"),
}


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    try:
        figures = compare(rounds, QUICK if options.quick else Amounts())
    except (WorkFailed, AssertionError, OSError) as error:
        tell(f"bench: {error}", to=sys.stderr)
        return 1
    tables = (report.comparison(figures), report.decisions(deciding.measure(), deciding.MANY))
    told = report.facts(rounds)
    tell("\n\n".join((told, *map(report.plain, tables))), to=sys.stdout)
    if options.write:
        report.write(options.write, tables, told)
    return 0


def compare(rounds: int, amounts: Amounts) -> report.Figures:
    """Every contender's figures of every round."""
    figures: dict[str, list[Mapping[Row, float]]] = {name: [] for name in CONTENDERS}
    names = list(CONTENDERS)
    with tempfile.TemporaryDirectory() as folder, internet(Path(folder)) as world, Client() as client:
        for number in range(rounds):
            turn = number % len(names)
            with started(Path(folder), world) as running:
                for name in names[turn:] + names[:turn]:
                    tell(f"round {number + 1} of {rounds}: {name}", to=sys.stderr)
                    figures[name].append(measure(running[name], client, world, amounts))
    return figures


@contextmanager
def started(folder: Path, world: World) -> Iterator[Mapping[str, Running]]:
    """All contenders, started together: that takes longer than the work of a round."""
    with ExitStack() as stack:

        def start(name: str) -> Running:
            home = folder / name
            home.mkdir(exist_ok=True)
            return stack.enter_context(CONTENDERS[name](home, world))

        pool = stack.enter_context(ThreadPoolExecutor())  # to the end: a process ends with the thread that started it
        running = list(pool.map(start, CONTENDERS))
        yield dict(zip(CONTENDERS, running, strict=True))


def tell(text: str, to: TextIO) -> None:
    print(text, file=to, flush=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--rounds",
        type=_positive,
        metavar="N",
        help=f"how often (default {ROUNDS}, with --quick {QUICK_ROUNDS})",
    )
    parser.add_argument("--quick", action="store_true", help="little work, for a first look")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures into this file's marked section")
    options = parser.parse_args(arguments)
    if options.write and not report.has_section(options.write):
        parser.error(f"{options.write} is no file with a section between {report.BEGIN} and {report.END}")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds: write 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
