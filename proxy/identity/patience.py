"""One device cannot guess its way in, nor lock anybody out: what the keeper remembers of wrong passwords by address.

A device waits for a name as anybody does who fails too often (``back_off``), and counts towards the name's own wait
only while its failures are what anybody's fingers make: so it takes several devices to make a name wait everywhere.
And it fails at most ``AT_ONCE`` times at a stretch whatever the names, then once every ``EVERY`` seconds. In memory
only, and only of so many: what is forgotten is the oldest.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from proxy.services.back_off import FREE, MEMORY, wait_after

AT_ONCE = 30
EVERY = 30.0
MOST = 4096  # addresses, and names at addresses


@dataclass(slots=True)
class _Failures:
    """Of one name at one address."""

    count: int = 0
    last: float = 0.0
    again: float = 0.0


class Patience:
    """For several threads. ``now`` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._spent: OrderedDict[str, float] = OrderedDict()  # when the address will have its full allowance again

    def waits(self, address: str, name: str, now: float) -> bool:
        """Whether this device is not to be tried with this name for now."""
        with self._lock:
            failures = self._names.get((address, name))
            if failures is not None and now < failures.again:
                return True
            return self._spent.get(address, now) - now > (AT_ONCE - 1) * EVERY

    def failed(self, address: str, name: str, now: float) -> bool:
        """Note a wrong password. Whether it counts towards the name's own wait, too."""
        with self._lock:
            self._spent[address] = max(now, self._spent.pop(address, now)) + EVERY
            failures = self._names.pop((address, name), _Failures())
            if now - failures.last > MEMORY.total_seconds():
                failures = _Failures()
            failures.count, failures.last = failures.count + 1, now
            failures.again = now + wait_after(failures.count).total_seconds()
            self._names[address, name] = failures
            for memory in (self._names, self._spent):
                if len(memory) > MOST:
                    memory.popitem(last=False)
            return failures.count <= FREE

    def succeeded(self, address: str, name: str) -> None:
        with self._lock:
            self._names.pop((address, name), None)
