"""How fast one device may come and show nobody: so many at once, then so many a second.

Each time costs the gateway a connection, a question and an answer, so a device that sends password after password would
make others wait; like this it waits itself. Whoever has shown who they are is not counted. What is forgotten, the
oldest, costs nobody anything.
"""

from collections import OrderedDict
from ipaddress import IPv4Address, IPv6Network

from policies.names import IPAddress

AT_ONCE = 40  # more than a browser opens connections to its proxy
EVERY = 0.05  # seconds: twenty a second
LONGEST = 30.0  # seconds; more than a device needs for all the connections that it may have
MOST = 4096  # devices

type Device = IPAddress | IPv6Network


def device_of(address: IPAddress) -> Device:
    """What counts as one device: an IPv4 address, and a whole /64 of IPv6, of which a device takes what it likes."""
    return address if isinstance(address, IPv4Address) else IPv6Network((address, 64), strict=False)


class Pace:
    """``now`` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._spent: OrderedDict[Device, float] = OrderedDict()  # when the device will have its full allowance again

    def delay(self, address: IPAddress, now: float) -> float:
        """Count one more. For how many seconds it is to wait for its answer."""
        device = device_of(address)
        spent = max(now, self._spent.pop(device, now)) + EVERY
        self._spent[device] = min(spent, now + AT_ONCE * EVERY + LONGEST)
        if len(self._spent) > MOST:
            self._spent.popitem(last=False)
        return max(0.0, self._spent[device] - now - AT_ONCE * EVERY)
