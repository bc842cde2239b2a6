"""Policy, catalogue and exempt bundles from their files.

An error names file, line and field, and says what was expected. What is loaded is whole and consistent, or nothing is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from policies.bundles import Bundle
from policies.checking import check
from policies.documents import VERSION_DIGITS, Document, Location, PolicyError, read_document
from policies.exemptions import TAKE_BUNDLE
from policies.explaining import problems_of
from policies.index import NameTrie
from policies.model import Catalogue, CatalogueFile, Category, Policy, Service

__all__ = [
    "PolicyError",
    "build_catalogue",
    "bundles_folder",
    "catalogue_from_json",
    "catalogue_to_json",
    "check",
    "default_policy_path",
    "load_bundles",
    "load_catalogue",
    "load_policy",
    "policy_from_json",
    "policy_to_json",
]


def default_policy_path() -> Traversable:
    """The policy that comes with schoolgate, wherever it is installed."""
    return files("policies") / "horringer-court.yaml"


def bundles_folder() -> Traversable:
    """The exempt bundles that come with schoolgate."""
    return files("policies") / "bundles"


def load_policy(path: Traversable | Path, bundles: Traversable | Path | None = None) -> Policy:
    """Read and validate a policy, with the bundles that it names filled in. Raises PolicyError."""
    document, shelf = read_document(path), _Shelf(bundles or bundles_folder())
    policy = _validated(Policy, document, {TAKE_BUNDLE: shelf.take})
    return policy.model_copy(update={"version": _digest([document.version, *shelf.digests])})


def load_bundles(folder: Traversable | Path | None = None) -> Mapping[str, Bundle]:
    """Every bundle of a folder, by its key. Raises PolicyError."""
    shelf = _Shelf(folder or bundles_folder())
    return {name: shelf.take(name) for name in shelf.names}


def load_catalogue(folder: Traversable | Path | None = None) -> Catalogue:
    """Read every category file of a folder (default: the catalogue that comes with schoolgate). Raises PolicyError."""
    folder = folder or files("policies") / "services"
    documents = [read_document(file) for file in _yaml_files(folder)]
    if not documents:
        raise PolicyError(f"{folder}: there is no category file (*.yaml) in it")
    parts = [(document, _validated(CatalogueFile, document)) for document in documents]
    _refuse_doubles(parts)
    return build_catalogue(
        _digest([document.version for document in documents]),
        [part.as_category() for _, part in parts],
        [service for _, part in parts for service in part.services.values()],
    )


def build_catalogue(version: str, categories: Iterable[Category], services: Iterable[Service]) -> Catalogue:
    """Put a catalogue together from validated parts, its trie included."""
    by_key = {service.key: service for service in services}
    numbered = ((domain, place) for place, service in enumerate(by_key.values()) for domain in service.domains)
    return Catalogue(version, {category.key: category for category in categories}, by_key, NameTrie.build(numbered))


# For the snapshot


def policy_to_json(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", by_alias=True)


def policy_from_json(value: Mapping[str, Any]) -> Policy:
    return Policy.model_validate(value)


def catalogue_to_json(catalogue: Catalogue) -> dict[str, Any]:
    """The catalogue's table; its trie is saved apart."""
    return {
        "version": catalogue.version,
        "categories": [category.model_dump(mode="json") for category in catalogue.categories.values()],
        "services": [service.model_dump(mode="json") for service in catalogue.services.values()],
    }


def catalogue_from_json(value: Mapping[str, Any], trie: NameTrie) -> Catalogue:
    categories = [Category.model_validate(item) for item in value["categories"]]
    services = [Service.model_validate(item) for item in value["services"]]
    return Catalogue(value["version"], {c.key: c for c in categories}, {s.key: s for s in services}, trie)


# How


class _Shelf:
    """The bundles of a folder, each in the file of its name, read when it is first asked for."""

    def __init__(self, folder: Traversable | Path) -> None:
        self._files = {file.name.removesuffix(".yaml"): file for file in _yaml_files(folder)}
        self._taken: dict[str, Bundle] = {}

    @property
    def names(self) -> list[str]:
        return list(self._files)

    @property
    def digests(self) -> list[str]:
        """Of those that were taken, whatever the order they were taken in."""
        return sorted(bundle.digest for bundle in self._taken.values())

    def take(self, name: object) -> Bundle:
        """Raises ValueError for a name that no bundle has, PolicyError for a bundle that is wrong."""
        if not isinstance(name, str) or name not in self._files:
            close = get_close_matches(str(name), self._files, n=1)
            known = f"did you mean {close[0]}?" if close else f"there are {', '.join(self._files) or 'none'}"
            raise ValueError(f"bundle: there is no bundle {name!r}; {known}")
        if name not in self._taken:
            self._taken[name] = self._read(name)
        return self._taken[name]

    def _read(self, name: str) -> Bundle:
        document = read_document(self._files[name])
        bundle = _validated(Bundle, document)
        if bundle.key != name:
            raise PolicyError(document.problem(("bundle",), f"{bundle.key!r} is not the name of its file"))
        return bundle.model_copy(update={"digest": document.version})


def _digest(versions: Sequence[str]) -> str:
    """One version for several files; that of a single one is its own."""
    return versions[0] if len(versions) == 1 else sha256("".join(versions).encode()).hexdigest()[:VERSION_DIGITS]


def _validated[M: BaseModel](model: type[M], document: Document, context: Mapping[str, Any] | None = None) -> M:
    try:
        return model.model_validate(document.content, context=context)
    except ValidationError as error:
        raise PolicyError("\n".join(problems_of(error, model, document))) from None


def _yaml_files(folder: Traversable | Path) -> list[Traversable | Path]:
    try:
        return sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    except OSError as error:
        raise PolicyError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _refuse_doubles(parts: Iterable[tuple[Document, CatalogueFile]]) -> None:
    """A category, a service and a domain each stand in one place only, or a host would belong to two."""
    seen: defaultdict[tuple[str, str], list[tuple[Document, Location]]] = defaultdict(list)
    for document, part in parts:
        seen["category", part.category].append((document, ("category",)))
        for key, service in part.services.items():
            seen["service", key].append((document, ("services", key)))
            for place, domain in enumerate(service.domains):
                seen["domain", domain].append((document, ("services", key, "domains", place)))
    problems = [
        document.problem(location, f"the {what} {name} stands at {first.name}:{first.line(at)} already")
        for (what, name), ((first, at), *others) in seen.items()
        for document, location in others
    ]
    if problems:
        raise PolicyError("\n".join(problems))
