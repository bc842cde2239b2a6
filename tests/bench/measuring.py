"""One round with one contender: four kinds of work, the CPU or memory that each took, the proof that it was done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.bench.contenders import Running
from tests.bench.cost import at_rest, of_work, settled
from tests.bench.work import PASSED, REFUSED, Client, Job, WorkFailed, held
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.internet import Server
from tests.integration.gateway.world import World

WARM_UP = 12  # connections of each kind that are not measured: imports, certificates, caches
DOWNLOAD = 32 * 1024 * 1024
RECORDED_WITHIN = 30.0


class Row(StrEnum):
    """What is compared, in the unit it is told in."""

    PASSED = "µs CPU per passed TLS connection"
    REFUSED = "µs CPU per refused page"
    RELAYED = "ms CPU per GB relayed"
    IDLE = "KB per idle tunnel"
    REST = "ms CPU per second at rest"


@dataclass(frozen=True)
class Amounts:
    """How much of each."""

    passed: int = 120
    refused: int = 60
    downloads: int = 4
    idle: int = 150


def measure(running: Running, client: Client, world: World, amounts: Amounts) -> Mapping[Row, float]:
    """Raises WorkFailed unless all of the work was done, and as the policy has it."""
    target = (world.open.host, world.open.port)
    passing = Job(proxy=running.address, target=target, name=PASSED, root=world.root, count=WARM_UP)
    refusing = replace(passing, name=REFUSED, root=running.root, status=403, path="/", size=None)
    pid = running.process.pid

    def passes(job: Job) -> None:
        before = _accepts(world.open)
        client.do(job)
        _expect(_accepts(world.open) - before, job.count, "connections reached the origin")

    def refuses(job: Job) -> None:
        before, on_record = _accepts(*world.servers), running.recorded() if running.recorded else 0
        client.do(job)
        _expect(_accepts(*world.servers) - before, 0, "refused connections reached an origin")
        if (recorded := running.recorded) is not None:
            eventually(lambda: recorded() >= on_record + job.count, within=RECORDED_WITHIN)
            _expect(recorded() - on_record, job.count, "refusals on record")

    passes(passing)
    refuses(refusing)
    resident, resting = settled(pid).resident, at_rest(pid)

    def cpu(work: Callable[[Job], None], job: Job) -> float:
        return of_work(pid, lambda: work(job), resting)

    with held(replace(passing, count=amounts.idle)):
        idle = (settled(pid).resident - resident) / amounts.idle
    relayed = cpu(passes, replace(passing, count=amounts.downloads, path=f"/bytes/{DOWNLOAD}", size=DOWNLOAD))
    return {
        Row.PASSED: cpu(passes, replace(passing, count=amounts.passed)) / amounts.passed * 1e6,
        Row.REFUSED: cpu(refuses, replace(refusing, count=amounts.refused)) / amounts.refused * 1e6,
        Row.RELAYED: relayed / (amounts.downloads * DOWNLOAD) * 1e12,
        Row.IDLE: idle / 1024,
        Row.REST: resting * 1e3,
    }


def _accepts(*servers: Server) -> int:
    return sum(server.accepts for server in servers)


def _expect(found: int, expected: int, what: str) -> None:
    if found != expected:
        raise WorkFailed(f"{found} {what}, not {expected}")
