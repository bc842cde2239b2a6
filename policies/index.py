"""Where a host name or an address lies: domains by whole labels, address ranges by prefix; the narrowest wins.

Two shapes for names. ``HostIndex`` is a dictionary for the hundreds of names that a policy holds. ``NameTrie`` is a
memory-mapped trie for the catalogue's millions, shared by all processes: its keys are labels in reverse with a dot
behind each (``com.facebook.``), so that every stored key that begins a host's key is a domain the host lies in.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

import marisa_trie

from policies.names import HostName, IPAddress

type IPNetwork = IPv4Network | IPv6Network

_NUMBER_SIGN = "#"  # in no host name, so a key that carries a number never begins a host's key


class HostIndex[T]:
    """A small mapping from domains to values; ``find`` gives the longest domain that a host lies in."""

    def __init__(self, entries: Mapping[HostName, T]) -> None:
        self._entries: Mapping[str, tuple[HostName, T]] = {name: (name, value) for name, value in entries.items()}
        self._endings = frozenset(_last_label(name) for name in entries)

    def find(self, host: HostName) -> tuple[HostName, T] | None:
        if _last_label(host) not in self._endings:
            return None  # as for most hosts
        name: str = host
        while name:
            if (entry := self._entries.get(name)) is not None:
                return entry
            name = name.partition(".")[2]
        return None

    def __len__(self) -> int:
        return len(self._entries)


class AddressIndex[T]:
    """Address ranges -> values: one dictionary look-up for each length of prefix that occurs, the longest first."""

    def __init__(self, entries: Iterable[tuple[IPNetwork, T]]) -> None:
        tables: defaultdict[tuple[int, int], dict[int, list[T]]] = defaultdict(dict)
        for network, value in entries:
            host_bits = network.max_prefixlen - network.prefixlen
            table = tables[network.version, host_bits]
            table.setdefault(int(network.network_address) >> host_bits, []).append(value)
        narrowest_first = sorted(tables.items(), key=lambda item: item[0])
        self._tables = {
            version: tuple((host_bits, table) for (of, host_bits), table in narrowest_first if of == version)
            for version in (4, 6)
        }

    def find(self, address: IPAddress) -> T | None:
        """The value of the narrowest range that the address lies in."""
        number = int(address)
        for host_bits, table in self._tables[address.version]:
            if values := table.get(number >> host_bits):
                return values[0]
        return None

    def all(self, address: IPAddress) -> Iterator[T]:
        """The values of every range that the address lies in, the narrowest first."""
        number = int(address)
        for host_bits, table in self._tables[address.version]:
            yield from table.get(number >> host_bits, ())


class NameTrie:
    """Domains -> a number each (the service's place in the catalogue).

    A domain is stored twice: as it is, which makes the common answer, none, one native look-up; and with its number
    behind it (``com.facebook.#7``), which is read once a domain was found.
    """

    def __init__(self, trie: marisa_trie.Trie) -> None:
        self._trie = trie

    @classmethod
    def build(cls, entries: Iterable[tuple[HostName, int]]) -> Self:
        numbered = {key_of(name): number for name, number in entries}
        return cls(marisa_trie.Trie([*numbered, *(f"{k}{_NUMBER_SIGN}{number}" for k, number in numbered.items())]))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a saved trie into memory, shared by all who do. Raises OSError, RuntimeError for a damaged file."""
        trie = marisa_trie.Trie()
        trie.mmap(str(path))
        return cls(trie)

    def save(self, path: Path) -> None:
        self._trie.save(str(path))

    def find(self, host: HostName) -> int | None:
        """The number of the longest domain that the host lies in."""
        domains = self._trie.prefixes(key_of(host))
        if not domains:
            return None
        marked = f"{domains[-1]}{_NUMBER_SIGN}"  # prefixes come shortest first
        return int(next(self._trie.iterkeys(marked)).removeprefix(marked))

    def __len__(self) -> int:
        return len(self._trie) // 2


def _last_label(name: HostName) -> str:
    return name.rpartition(".")[2]


def key_of(name: HostName) -> str:
    """``m.facebook.com`` -> ``com.facebook.m.``"""
    return ".".join(reversed(name.split("."))) + "."
