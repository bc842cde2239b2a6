"""Policy and catalogue from their files; the one module here that reads any.

An error names file, line and field, and says what was expected. What is loaded is whole and consistent, or nothing is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from policies.checking import check
from policies.documents import VERSION_DIGITS, Document, Location, PolicyError, read_document
from policies.explaining import problems_of
from policies.index import NameTrie
from policies.model import Catalogue, CatalogueFile, Category, Policy, Service

__all__ = [
    "PolicyError",
    "build_catalogue",
    "catalogue_from_json",
    "catalogue_to_json",
    "check",
    "default_policy_path",
    "load_catalogue",
    "load_policy",
    "policy_from_json",
    "policy_to_json",
]


def default_policy_path() -> Traversable:
    """The policy that comes with schoolgate, wherever it is installed."""
    return files("policies") / "horringer-court.yaml"


def load_policy(path: Traversable | Path) -> Policy:
    """Read and validate a policy. Raises PolicyError."""
    document = read_document(path)
    return _validated(Policy, document, {"version": document.version})


def load_catalogue(folder: Traversable | Path | None = None) -> Catalogue:
    """Read every category file of a folder (default: the catalogue that comes with schoolgate). Raises PolicyError."""
    folder = folder or files("policies") / "services"
    documents = [read_document(file) for file in _yaml_files(folder)]
    if not documents:
        raise PolicyError(f"{folder}: there is no category file (*.yaml) in it")
    parts = [(document, _validated(CatalogueFile, document)) for document in documents]
    _refuse_doubles(parts)
    version = sha256("".join(document.version for document in documents).encode()).hexdigest()[:VERSION_DIGITS]
    return build_catalogue(
        version,
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


def _validated[M: BaseModel](model: type[M], document: Document, extra: Mapping[str, str] | None = None) -> M:
    content = document.content
    try:
        return model.model_validate({**content, **(extra or {})} if isinstance(content, dict) else content)
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
