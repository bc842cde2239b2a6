"""Names to addresses: the system's way, or by DNS servers the school names; cached, single flight, stale if need be.

A name that was answered before keeps its last answer for a day when its servers fail (RFC 8767): a failing resolver
must not look like a filter.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, Self

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from policies.names import HostName, InvalidName, IPAddress, host_name, is_within, normal_address

SYSTEM_TTL = 60.0  # seconds; getaddrinfo does not say
NEGATIVE_TTL = 5.0  # seconds a failure is remembered
LONGEST_TTL = 3600.0  # seconds
STALE_FOR = 86400.0  # seconds an old answer may stand in for a failing server
PATIENCE = 5.0  # seconds for one look-up
MOST_CACHED = 20_000
THREADS = 32  # of getaddrinfo, which blocks


class Unresolvable(Exception):
    """A name has no address, or nobody could be asked."""


class NoSuchName(Unresolvable):
    """The servers answered, and there is no such name: an older answer no longer holds (RFC 8767 section 4)."""


@dataclass(frozen=True, slots=True)
class Answer:
    addresses: tuple[IPAddress, ...]
    ttl: float


class Source(Protocol):
    """Somebody to ask."""

    async def ask(self, host: HostName) -> Answer:
        """Asks once. Raises Unresolvable."""
        ...

    async def settled(self, host: HostName) -> None:
        """Returns once nothing of that question is under way any more, which may be long after its answer."""
        ...


class SystemSource:
    """getaddrinfo: ``/etc/hosts``, nsswitch and resolv.conf as the machine has them.

    It blocks a thread for as long as it likes, and cannot be stopped: nobody waits for it longer than ``PATIENCE``.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._under_way: dict[HostName, asyncio.Future[tuple[IPAddress, ...]]] = {}

    async def ask(self, host: HostName) -> Answer:
        look_up = self._under_way.get(host) or self._begin(host)
        try:
            async with asyncio.timeout(PATIENCE):
                found = await asyncio.shield(look_up)
        except socket.gaierror as error:
            gone = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
            raise (NoSuchName if gone else Unresolvable)("the system's resolver has no address for the name") from error
        except (OSError, UnicodeError, TimeoutError) as error:
            raise Unresolvable("the system's resolver has no address for the name") from error
        return Answer(found, SYSTEM_TTL)

    async def settled(self, host: HostName) -> None:
        """A thread may go on when nobody waits for it."""
        if (look_up := self._under_way.get(host)) is not None:
            await asyncio.wait([look_up])

    def _begin(self, host: HostName) -> "asyncio.Future[tuple[IPAddress, ...]]":
        def over(done: asyncio.Future[tuple[IPAddress, ...]]) -> None:
            del self._under_way[host]
            if not done.cancelled():
                done.exception()  # whoever still waits is told; if nobody does, it is nobody's

        look_up = asyncio.get_running_loop().run_in_executor(self._threads, _getaddrinfo, host)
        self._under_way[host] = look_up
        look_up.add_done_callback(over)
        return look_up


def _getaddrinfo(host: str) -> tuple[IPAddress, ...]:
    rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(normal_address(ip_address(str(row[4][0]).partition("%")[0])) for row in rows))


class DnsSource:
    """The DNS servers that the setting ``resolver`` names."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [_nameserver(server) for server in servers]
        self._resolver.lifetime = PATIENCE
        self._resolver.timeout = PATIENCE / 2

    async def ask(self, host: HostName) -> Answer:
        both = await asyncio.gather(self._records(host, "A"), self._records(host, "AAAA"), return_exceptions=True)
        answers = [answer for answer in both if isinstance(answer, Answer) and answer.addresses]
        if not answers:
            certain = all(isinstance(answer, Answer | NoSuchName) for answer in both)
            raise (NoSuchName if certain else Unresolvable)("the name has no address")
        return Answer(tuple(a for answer in answers for a in answer.addresses), min(a.ttl for a in answers))

    async def settled(self, host: HostName) -> None:
        """With the answer, or the end of ``PATIENCE``, its question is over."""

    async def _records(self, host: HostName, kind: str) -> Answer:
        try:
            found = await self._resolver.resolve(host + ".", kind, search=False)
        except dns.resolver.NoAnswer:
            return Answer((), LONGEST_TTL)
        except dns.resolver.NXDOMAIN as error:
            raise NoSuchName("there is no such name") from error
        except (dns.exception.DNSException, OSError) as error:
            raise Unresolvable("no server answered for the name") from error
        addresses = tuple(normal_address(ip_address(record.to_text())) for record in found)
        return Answer(addresses, float(found.rrset.ttl if found.rrset else NEGATIVE_TTL))


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    """``HOST``, ``HOST:PORT`` or ``[HOST]:PORT``. Raises ValueError with what was expected."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text.removeprefix("[").partition("]:")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return dns.nameserver.Do53Nameserver(str(ip_address(host)), int(port))
    except ValueError:
        raise ValueError(f"resolver: {text!r} is no DNS server: write an address, or ADDRESS:PORT") from None


@dataclass(slots=True)
class _Entry:
    answer: Answer | None  # None: the last question failed and nothing older is known
    fresh_until: float
    stale_until: float


class Resolver:
    """Sources by suffix behind one cache. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        default: Source,
        by_suffix: Sequence[tuple[HostName, Source]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._default, self._clock = default, clock
        self._by_suffix = sorted(by_suffix, key=lambda pair: -len(pair[0]))
        self._cache: OrderedDict[HostName, _Entry] = OrderedDict()
        self._asking: dict[HostName, asyncio.Future[_Entry]] = {}

    @classmethod
    def from_setting(cls, entries: Sequence[str]) -> Self:
        """``HOST[:PORT]`` for all names, ``SUFFIX=HOST[:PORT]`` for those below a suffix. Raises ValueError."""
        general = [entry for entry in entries if "=" not in entry]
        special: dict[HostName, list[str]] = {}
        for entry in entries:
            suffix, equals, server = entry.partition("=")
            if equals:
                special.setdefault(_suffix(suffix, entry), []).append(server)
        default = DnsSource(general) if general else SystemSource()
        return cls(default, [(suffix, DnsSource(servers)) for suffix, servers in special.items()])

    async def lookup(self, host: HostName) -> tuple[IPAddress, ...]:
        """The addresses of a name, never none. Raises Unresolvable."""
        entry = self._cache.get(host)
        if entry is None or self._clock() >= entry.fresh_until:
            entry = await self._ask_once(host, entry)
        else:
            self._cache.move_to_end(host)
        if entry.answer is None:
            raise Unresolvable("the name cannot be resolved")
        return entry.answer.addresses

    async def settled(self, host: HostName) -> None:
        """Returns once nothing is under way any more of what was asked for the name and has been answered."""
        await self._source(host).settled(host)

    async def _ask_once(self, host: HostName, known: _Entry | None) -> _Entry:
        """Many who ask for one name at one time share one question."""
        if (asking := self._asking.get(host)) is None:
            asking = asyncio.ensure_future(self._ask(host, known))
            self._asking[host] = asking
            asking.add_done_callback(lambda _: self._asking.pop(host, None))
        return await asyncio.shield(asking)

    async def _ask(self, host: HostName, known: _Entry | None) -> _Entry:
        entry = _Entry(None, self._clock() + NEGATIVE_TTL, 0.0)
        try:
            answer = await self._source(host).ask(host)
        except Unresolvable as error:
            failed = not isinstance(error, NoSuchName)
            if failed and known is not None and known.answer is not None and self._clock() < known.stale_until:
                entry = _Entry(known.answer, self._clock() + NEGATIVE_TTL, known.stale_until)
        else:
            fresh = self._clock() + min(max(answer.ttl, 1.0), LONGEST_TTL)
            entry = _Entry(answer, fresh, fresh + STALE_FOR)
        self._remember(host, entry)
        return entry

    def _remember(self, host: HostName, entry: _Entry) -> None:
        self._cache[host] = entry
        self._cache.move_to_end(host)
        while len(self._cache) > MOST_CACHED:
            self._cache.popitem(last=False)

    def _source(self, host: HostName) -> Source:
        return next((source for suffix, source in self._by_suffix if is_within(host, suffix)), self._default)


def _suffix(text: str, entry: str) -> HostName:
    try:
        return host_name(text)
    except InvalidName as error:
        raise ValueError(f"resolver: {entry!r}: {error}: write SUFFIX=ADDRESS[:PORT]") from error
