"""The figures as plain text, and as the marked section of docs/benchmarks.md."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from math import inf
from pathlib import Path
from statistics import median

from tests.bench.measuring import Row

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
_SECTION = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)

type Figures = Mapping[str, Sequence[Mapping[Row, float]]]  # contender -> one measurement per round
type Table = Sequence[Sequence[str]]


def comparison(figures: Figures) -> Table:
    """A line for each row: every contender's median with its range, and the first one's ratio to each of the others.

    A ratio is taken within a round, where both met the same neighbours, and then the median of these.
    """
    ours, *others = figures
    lines = [["", *figures, *(f"{ours} / {other}" for other in others)]]
    for row in Row:
        values = {name: [measured[row] for measured in rounds] for name, rounds in figures.items()}
        ratios = [[a / b if b else inf for a, b in zip(values[ours], values[other], strict=True)] for other in others]
        told = [_spread(values[name], ",.0f") for name in figures]
        lines.append([row.value, *told, *(_spread(of_one, ".2f") for of_one in ratios)])
    return lines


def _spread(values: Sequence[float], form: str) -> str:
    if inf in values:
        return "–"
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def decisions(costs: Mapping[str, tuple[float, float]], grants: int) -> Table:
    """µs per decision."""
    lines = [[case, *(f"{cost:.1f}" for cost in each)] for case, each in costs.items()]
    return [["µs per decision", "1 grant", f"{grants:,} grants"], *lines]


def facts(rounds: int) -> str:
    """When and on what this was measured; nothing that says whose machine it is."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds; {os.cpu_count()} cores ({platform.machine()}), "
        f"{platform.system()} {platform.release().partition('-')[0]}, {platform.python_implementation()} "
        f"{platform.python_version()}, mitmproxy {version('mitmproxy')}."
    )


def plain(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    sides = ["<", *">" * (len(widths) - 1)]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True))
        for cells in table
    )


def markdown(table: Table) -> str:
    head, *lines = table
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def has_section(path: Path) -> bool:
    return path.is_file() and _SECTION.search(path.read_text(encoding="utf-8")) is not None


def write(path: Path, tables: Sequence[Table], told: str) -> None:
    """Replace what stands between the marks."""
    section = "\n\n".join((BEGIN, told, *map(markdown, tables), END))
    path.write_text(_SECTION.sub(lambda _: section, path.read_text(encoding="utf-8")), encoding="utf-8")
