"""The proxies that are compared: schoolgate as a school runs it, and bare mitmproxy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from proxy.ca.status import root_certificate
from proxy.store.engine import Store
from proxy.store.models import AttemptRow
from tests.integration.gateway.clients import Address, eventually
from tests.integration.gateway.processes import (
    SCHOOLGATE,
    STARTING,
    Process,
    free_port,
    http_status,
    wait_until_listening,
)
from tests.integration.gateway.school import environment, write_policy
from tests.integration.gateway.world import World


@dataclass(frozen=True)
class Running:
    """A contender at work. ``root`` signs its pages; ``recorded`` counts the attempts on its record, if it has one."""

    process: Process
    address: Address
    root: Path
    recorded: Callable[[], int] | None = None


@contextmanager
def schoolgate(folder: Path, world: World) -> Iterator[Running]:
    """``schoolgate run``: supervisor, keeper and answerer, the school's own policy, the catalogue, a store."""
    port, status, state = free_port(), free_port(), folder / "state"
    listening = {"listen": f"explicit@127.0.0.1:{port}", "status": f"127.0.0.1:{status}"}
    settings = environment(state, write_policy(folder / "policy.yaml", world), world, **listening)
    with Process((*SCHOOLGATE, "run"), settings, folder / "schoolgate.log") as process:
        wait_until_listening(process, ("127.0.0.1", port))
        eventually(lambda: http_status(f"http://127.0.0.1:{status}/readyz") == 200, within=STARTING)
        root = folder / "root.pem"
        root.write_bytes(root_certificate(state / "ca"))
        yield Running(process, ("127.0.0.1", port), root, lambda: _recorded(f"sqlite:///{state}/schoolgate.db"))


def _recorded(store_url: str) -> int:
    store = Store.open(store_url)
    try:
        with store.read() as session:
            return int(session.scalar(select(func.sum(AttemptRow.count))) or 0)
    finally:
        store.close()


@contextmanager
def mitmproxy(kind: str, folder: Path, _: World) -> Iterator[Running]:
    """Bare mitmproxy: ``default`` or ``lean``, see ``peers``."""
    port = free_port()
    command = (sys.executable, "-m", "tests.bench.peers", kind, str(port), str(folder))
    with Process(command, {}, folder / "mitmproxy.log") as process:
        wait_until_listening(process, ("127.0.0.1", port))
        yield Running(process, ("127.0.0.1", port), folder / "mitmproxy-ca-cert.pem")
