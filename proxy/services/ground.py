"""Address ranges laid out side by side: which address belongs to whom when ranges lie within each other.

Ranges in CIDR notation are nested or apart, never half over one another; the narrowest one counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from policies.index import IPNetwork


class Span(NamedTuple):
    """The addresses from ``first`` to ``last``, both included, as numbers."""

    version: int
    first: int
    last: int

    @classmethod
    def of(cls, network: IPNetwork) -> "Span":
        return cls(network.version, int(network[0]), int(network[-1]))

    def common(self, other: "Span") -> int:
        """How many addresses are in both."""
        if self.version != other.version:
            return 0
        return max(0, min(self.last, other.last) - max(self.first, other.first) + 1)

    def beyond(self, others: Sequence["Span"]) -> bool:
        """Whether an address of this lies in none of these, of which no two have one in common."""
        return sum(map(self.common, others)) < self.common(self)


class Plot[T](NamedTuple):
    """Addresses side by side that belong to one and the same."""

    span: Span
    of: T


def plots[T](ranges: Iterable[tuple[IPNetwork, T]]) -> Iterator[Plot[T]]:
    """Every address of these ranges once, with what the narrowest range that it lies in belongs to."""
    laid = sorted((Plot(Span.of(network), of) for network, of in ranges), key=lambda plot: _outside_in(plot.span))
    around: list[Plot[T]] = []  # the ranges that the one in hand lies in
    at = 0  # the next address that is nobody's yet
    for plot in laid:
        while around and not plot.span.common(around[-1].span):
            inner = around.pop()
            yield from _piece(inner, at, inner.span.last)
            at = inner.span.last + 1
        if around:
            yield from _piece(around[-1], at, plot.span.first - 1)
        around.append(plot)
        at = plot.span.first
    for inner in reversed(around):
        yield from _piece(inner, at, inner.span.last)
        at = inner.span.last + 1


def _outside_in(span: Span) -> tuple[int, int, int]:
    return span.version, span.first, -span.last


def _piece[T](plot: Plot[T], first: int, last: int) -> Iterator[Plot[T]]:
    if first <= last:
        yield Plot(Span(plot.span.version, first, last), plot.of)
