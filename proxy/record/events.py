"""What an enforcing process says of an attempt as it goes into the journal: decided, at most classified and ended.

One attempt is one TLS connection or one plain HTTP request; ``id`` is its own from first sight, and the writer folds
by it. Times are aware; the record keeps them in UTC.
"""

import hashlib
import hmac
import json
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from policies.vocabulary import Kind, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision, before the first byte goes on."""

    id: str
    at: datetime
    address: str
    device: str | None
    person: str | None
    network: str | None
    host: str | None
    port: int
    protocol: str
    verdict: str
    reason: str
    would_be: str | None
    rule: str | None
    clause: str | None
    service: str | None
    category: str | None
    authorisation: int | None
    policy: str
    kind: str = Kind.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """The request behind a refusal showed whether a person went there."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The connection is over. ``outcome`` is None for a refusal. Bytes as seen from the client."""

    id: str
    at: datetime
    outcome: str | None
    bytes_up: int
    bytes_down: int
    seconds: float


type Event = Decided | Classified | Ended

_KINDS: Mapping[str, type[Decided] | type[Classified] | type[Ended]] = {
    "decided": Decided,
    "classified": Classified,
    "ended": Ended,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}


def encode(event: Event) -> bytes:
    fields = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(event).items()
    }
    return json.dumps({"event": _NAMES[type(event)], **fields}, separators=(",", ":"), ensure_ascii=False).encode()


def decode(payload: bytes) -> Event:
    """The event in a journal frame. Raises ValueError for anything else."""
    try:
        fields = json.loads(payload)
        cls = _KINDS[fields.pop("event")]
        if "at" in fields:
            fields["at"] = datetime.fromisoformat(fields["at"])
        return cls(**fields)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not an event of the record: {error}") from error


def minute_of(at: datetime) -> datetime:
    """The fixed minute that an attempt is counted in."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def reference(event: Decided, kind: Kind | str, key: bytes) -> str:
    """What the page shows and the record is found by, e.g. ``K7QF-2M9X-TDWA-5B3C``.

    A keyed hash of just what repeats within a minute are collapsed by, so that both sides compute it alone.
    """
    identity = [
        minute_of(event.at).isoformat(),
        event.address,
        event.device,
        event.person,
        event.host,
        event.verdict,
        event.reason,
        event.authorisation,
        str(kind),
        event.policy,
    ]
    digest = hmac.digest(key, json.dumps(identity, separators=(",", ":")).encode(), hashlib.sha256)
    letters = b32encode(digest[:10]).decode()
    return "-".join(letters[i : i + 4] for i in range(0, 16, 4))


__all__ = ["Classified", "Decided", "Ended", "Event", "Kind", "Outcome", "decode", "encode", "minute_of", "reference"]
