"""The record against what was really tried: by this test, and by every other that the same school has been through."""

from collections import Counter
from pathlib import Path

from tests.e2e.devices import Way
from tests.e2e.lab import CLOSED, OPEN_NAMES
from tests.e2e.school import School
from tests.integration.gateway.clients import OK, eventually

TIMES = 5
NOWHERE = "no-such-name.example"  # no catalogue knows it, and no name server either
UNLISTED = (*OPEN_NAMES, NOWHERE)
REFUSED = "a-refused-name.facebook.com"


def recorded(school: School) -> Counter[tuple[str, str]]:
    """How often which address tried which host, by the record."""
    total: Counter[tuple[str, str]] = Counter()
    for row in school.attempts():
        total[row["address"], row["host"]] += row["count"]
    return total


def test_every_attempt_is_counted_once(way: Way) -> None:
    """Refused and allowed, by name and address, collapsed with a true count; and nothing that passed unlisted."""
    for _ in range(TIMES):
        assert way.device(0).page("x.com")
        assert way.device(1).opens("wikipedia.org")
    tried = Counter({key: times for key, times in way.school.tried.items() if key[1] not in UNLISTED})
    eventually(lambda: recorded(way.school).total() >= tried.total())
    assert recorded(way.school) == tried


def test_what_passed_unlisted_is_nowhere_on_disk(way: Way) -> None:
    """Its name is in no file of the state directory nor in the log, whatever became of it; a refused one's is."""
    at = way.where(CLOSED) if way.proxy is None else None
    for host in UNLISTED:
        for scheme in ("http", "https"):
            answer = way.device(1).get(f"{scheme}://{host}/", at=at)
            assert (answer.status == OK) == (host != NOWHERE)
    assert way.device(1).page(REFUSED, at=at)
    eventually(lambda: files_with(way.school, REFUSED))
    assert [found for host in UNLISTED for found in files_with(way.school, host)] == []


def files_with(school: School, host: str) -> list[str]:
    files = [school.process.log, *school.state_dir.rglob("*")]
    return [path.name for path in files if path.is_file() and host.encode() in content(path).lower()]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # written under a passing name, and by now under its own
