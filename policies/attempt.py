"""What is judged: one TLS connection, or one plain HTTP request, as far as it is known by then."""

from dataclasses import dataclass

from policies.names import HostName, IPAddress
from policies.vocabulary import Protocol, Reason

type Destination = HostName | IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is known of one TLS connection, or of one plain HTTP request, when it is judged.

    ``destination`` is what was asked for (CONNECT or request line: ``explicit``) or where the packet was going.
    ``server_name`` is the name shown after that: SNI, or the Host header. ``fault`` is what a parser found wrong.
    ``person`` is who the client has shown to be, and ``credential`` which credential of theirs that rests on.
    """

    address: IPAddress
    destination: Destination | None
    port: int
    protocol: Protocol
    explicit: bool
    server_name: HostName | None = None
    person: str | None = None
    credential: str | None = None
    fault: Reason | None = None

    @property
    def names(self) -> tuple[HostName, ...]:
        """The names to judge, what was shown before what was asked for."""
        shown, asked = self.server_name, self.destination
        if not isinstance(asked, str) or asked == shown:
            return () if shown is None else (shown,)
        return (asked,) if shown is None else (shown, asked)
