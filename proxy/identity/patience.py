"""One device cannot guess its way in, nor lock anybody out: what the keeper remembers of wrong passwords by address.

Three have to wait for a name, each as anybody does who fails too often (``back_off``): a device; its place, which is
the device and its neighbours; and, in the store, the name itself, everywhere. A failure is passed on to the next only
while it is one of the few that anybody's fingers make. So it takes several devices to make a place wait, and several
places to make a name wait everywhere: one laptop that takes address after address of its network stays one place.
Where that name has signed in lately, it waits for its own device's failures and for nobody else's.

And a device fails at most ``AT_ONCE`` times at a stretch whatever the names, then once every ``EVERY`` seconds. In
memory only, and only of so many: what is forgotten is the oldest.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_network
from threading import Lock

from proxy.services.back_off import FREE, MEMORY, wait_after

AT_ONCE = 30
EVERY = 30.0
MOST = 8192  # addresses, and names at addresses and places
KNOWN_FOR = 7 * 86400.0  # seconds after a name signed in at a device: from one Monday to the next
MOST_KNOWN = 16  # devices of one name


@dataclass(slots=True)
class _Failures:
    """Of one name at one device or place."""

    count: int = 0
    last: float = 0.0
    again: float = 0.0


class Patience:
    """For several threads. ``now`` is monotonic, in seconds. Addresses as ``ipaddress`` reads them: ValueError else."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._spent: OrderedDict[str, float] = OrderedDict()  # when the address will have its full allowance again
        self._known: dict[str, OrderedDict[str, float]] = {}  # of names that have signed in, so of people there are

    def waits(self, address: str, name: str, now: float) -> bool:
        """Whether this device is not to be tried with this name for now."""
        with self._lock:
            binding = [address] if self._knows(address, name, now) else [address, _place(address)]
            if any(now < self._names.get((where, name), _Failures()).again for where in binding):
                return True
            return self._spent.get(address, now) - now > (AT_ONCE - 1) * EVERY

    def knows(self, address: str, name: str, now: float) -> bool:
        """Whether this name has signed in at this device lately, so that others' failures do not keep it out."""
        with self._lock:
            return self._knows(address, name, now)

    def _knows(self, address: str, name: str, now: float) -> bool:
        devices = self._known.get(name)
        at = devices.get(address) if devices is not None else None
        return at is not None and now - at < KNOWN_FOR

    def failed(self, address: str, name: str, now: float) -> bool:
        """Note a wrong password. Whether it counts towards the name's own wait, too."""
        with self._lock:
            self._spent[address] = max(now, self._spent.pop(address, now)) + EVERY
            counts = self._fails(address, name, now) and self._fails(_place(address), name, now)
            for memory in (self._names, self._spent):
                while len(memory) > MOST:
                    memory.popitem(last=False)
            return counts

    def _fails(self, where: str, name: str, now: float) -> bool:
        """Count it at a device or a place. Whether it is one of the few that are passed on."""
        failures = self._names.pop((where, name), _Failures())
        if now - failures.last > MEMORY.total_seconds():
            failures = _Failures()
        failures.count, failures.last = failures.count + 1, now
        failures.again = now + wait_after(failures.count).total_seconds()
        self._names[where, name] = failures
        return failures.count <= FREE

    def succeeded(self, address: str, name: str, now: float) -> None:
        """Note the right password: what was wrong before it is forgiven."""
        with self._lock:
            for where in (address, _place(address)):
                self._names.pop((where, name), None)
            devices = self._known.setdefault(name, OrderedDict())
            devices[address] = now
            devices.move_to_end(address)
            if len(devices) > MOST_KNOWN:
                devices.popitem(last=False)


def _place(address: str) -> str:
    """A device and its neighbours, of whose addresses one laptop may take as many as it likes."""
    return str(ip_network(f"{address}/{64 if ':' in address else 24}", strict=False))
