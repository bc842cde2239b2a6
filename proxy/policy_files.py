"""The policy's file, the bundles and the catalogue, watched: a good change takes effect, a bad one changes nothing.

They are valid together or not at all. A change is read once it has stood still between two looks, so that a file which
an editor is still writing is not taken for a broken one.
"""

import logging
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from policies.loading import PolicyError, bundles_folder, check, default_policy_path, load_catalogue, load_policy
from policies.model import Catalogue, Policy

logger = logging.getLogger(__name__)

type Signature = tuple[tuple[str, int, int, int], ...]  # name, inode, time of change, size of each file


class PolicyFiles:
    """What the files say: ``policy`` and ``catalogue``. Raises PolicyError if they are wrong from the start."""

    def __init__(self, path: Path | None, folder: Path | None = None, bundles: Path | None = None) -> None:
        self._path: Traversable = path or default_policy_path()
        self._folder: Traversable = folder or files("policies") / "services"
        self._bundles: Traversable = bundles or bundles_folder()
        self._looked_at = self._read = self._signature()
        self.policy, self.catalogue = self._load()

    def poll(self) -> bool:
        """Look at the files; whether a change took effect. Raises PolicyError, once, for one that is wrong."""
        signature = self._signature()
        settled, self._looked_at = signature == self._looked_at, signature
        if not settled or signature == self._read:
            return False
        self._read = signature
        policy, catalogue = self._load()
        changed = (policy.version, catalogue.version) != (self.policy.version, self.catalogue.version)
        if changed:
            logger.info("The policy is %s, the catalogue %s.", policy.version, catalogue.version)
            self.policy, self.catalogue = policy, catalogue
        return changed

    @property
    def catalogue_changed_at(self) -> float:
        """When the catalogue's files last changed, POSIX time."""
        return max((at / 1e9 for name, _, at, _ in self._read if Path(name).parent == self._folder), default=0.0)

    def _load(self) -> tuple[Policy, Catalogue]:
        policy, catalogue = load_policy(self._path, self._bundles), load_catalogue(self._folder)
        if problems := check(policy, catalogue):
            raise PolicyError("\n".join(problems))
        return policy, catalogue

    def _signature(self) -> Signature:
        watched = (self._path, *_yaml_files(self._bundles), *_yaml_files(self._folder))
        return tuple(_sign(path) for path in watched if isinstance(path, Path))


def _yaml_files(folder: Traversable) -> list[Traversable]:
    try:
        return sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    except OSError:
        return []


def _sign(path: Path) -> tuple[str, int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size
