"""A school for tests: its policy, its state directory, and the snapshot that its keeper would have published."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count
from pathlib import Path

from ruamel.yaml import YAML

from policies.authorisation import Authorisation, Subject, Target
from policies.loading import load_catalogue, load_policy
from policies.model import Catalogue
from policies.snapshot import Device, Member, Snapshot
from proxy.snapshot import publish
from tests.integration.gateway.world import INTERNAL, World

GUESTS = "127.99.0.0/16"
TEACHER, OFFICE = "127.0.0.10", "127.0.0.11"  # clients of the gateway, by source address


def write_policy(path: Path, world: World, **changes: object) -> Path:
    """The school's own policy, with loopback for a country."""
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda _: True  # a policy writes everything out
    policy = yaml.load(files("policies").joinpath("horringer-court.yaml").read_text(encoding="utf-8"))
    policy["internal"] = {"networks": [INTERNAL]}
    policy["networks"]["estate"]["reaches_internal"] = True
    policy["networks"]["guest"]["addresses"] = [GUESTS]
    policy["timetable"] = timetable("00:00:00")
    policy["ports"] = [80, 443, world.port, world.http_port]
    policy.pop("examples", None)  # they speak of the school's real addresses
    policy.update(changes)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(policy, file)
    return path


def timetable(lessons_from: str) -> dict[str, object]:
    """Lessons all day and every day, from this wall-clock time on: whenever the tests run, it is known what applies."""
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    lessons = [{"days": week, "from": lessons_from, "to": "23:59:59"}]
    return {"periods": {"lessons": lessons, "structured-sessions": lessons}}


def environment(state_dir: Path, policy: Path, world: World, **settings: str) -> dict[str, str]:
    """The settings that every process of one test school runs under."""
    values = {
        "STATE_DIR": str(state_dir),
        "POLICY": str(policy),
        "RESOLVER": world.names.endpoint,
        "LANE": "stock",
        **{name.upper(): value for name, value in settings.items()},
    }
    return {f"SCHOOLGATE_{name}": value for name, value in values.items()}


@dataclass
class HandMadeKeeper:
    """Publishes snapshots as the keeper would, without a store: what is granted is what a test says."""

    snapshot_file: Path
    policy_file: Path
    catalogue: Catalogue = field(default_factory=load_catalogue)
    authorisations: tuple[Authorisation, ...] = ()
    devices: tuple[Device, ...] = ()
    members: dict[str, Member] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _ids: Iterator[int] = field(default_factory=lambda: count(1))
    _published: str | None = None

    def publish(self, *, confirmed_at: datetime | None = None) -> None:
        snapshot = Snapshot(
            number=next(self._numbers),
            confirmed_at=confirmed_at or datetime.now(UTC),
            policy=load_policy(self.policy_file),
            catalogue=self.catalogue,
            authorisations=self.authorisations,
            devices=self.devices,
            members=self.members,
        )
        publish(self.snapshot_file, snapshot, self._published)
        self._published = self.catalogue.version

    def grant(self, who: str, target: str, lasting: timedelta = timedelta(hours=2)) -> Authorisation:
        now = datetime.now(UTC)
        granted = Authorisation(
            id=next(self._ids),
            subject=Subject.parse(who),
            target=Target.parse(target),
            starts_at=now - timedelta(seconds=1),
            ends_at=now + lasting,
        )
        self.authorisations = (*self.authorisations, granted)
        self.publish()
        return granted

    def revoke(self, granted: Authorisation) -> None:
        now = datetime.now(UTC)
        self.authorisations = tuple(
            replace(a, revoked_at=now) if a.id == granted.id else a for a in self.authorisations
        )
        self.publish()

    def reset(self, *, authorisations: Iterable[Authorisation] = ()) -> None:
        """Nothing is granted any more, and nothing is remembered of what was."""
        self.authorisations, self.devices = tuple(authorisations), ()
        self.publish()
