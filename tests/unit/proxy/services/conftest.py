"""A small school: its policy and catalogue, its people, and a store that has them."""

from datetime import UTC, datetime

import pytest

from policies.catalogue import Catalogue, Category, Service
from policies.index import NameTrie
from policies.model import Policy
from policies.names import host_name
from policies.vocabulary import Role
from proxy.services.permission import Actor
from proxy.store import models
from proxy.store.engine import Store

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
PEOPLE = {
    "head": Role.SLT,
    "deputy": Role.SLT,
    "tech": Role.TECHNICIAN,
    "netops": Role.NETWORK,
    "j.smith": Role.STAFF,
}
SERVICES = {
    "facebook": ("social-network", ("facebook.com", "fbcdn.net"), ()),
    "instagram": ("social-network", ("instagram.com",), ("fbcdn.net", "static.example.net")),
    "reddit": ("forum", ("reddit.com",), ()),
    "blog-one": ("blog", ("one.blogs.example",), ()),
    "blog-two": ("blog", ("two.blogs.example",), ()),
    "tunnel": ("circumvention", ("tunnel.example",), ()),
    "chat": ("messaging", ("chat.example",), ()),
}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.model_validate(
        {
            "school": {"name": "A school", "contact": "the office"},
            "networks": {"estate": {"addresses": ["10.0.0.0/8"]}, "guest": {"addresses": ["10.99.0.0/16"]}},
            "locked": [
                {"name": "Ways round", "clause": "3 ¶1", "categories": ["circumvention"]},
                {"name": "Unsafe chat", "clause": "5", "services": ["chat"]},
            ],
            "rules": [{"name": "Estate", "clause": "3 ¶1", "verdict": "deny"}],
            "authorisations": {"longest": "8h", "furthest_ahead": "30d", "shortest_reason": 8},
        }
    )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    services = {
        key: Service(key=key, name=key.title(), category=category, domains=domains, shared_hosts=shared)
        for key, (category, domains, shared) in SERVICES.items()
    }
    categories = {s.category: Category(key=s.category, name=s.category.title()) for s in services.values()}
    names = [(host_name(d), number) for number, s in enumerate(services.values()) for d in s.domains]
    return Catalogue(version="1", categories=categories, services=services, trie=NameTrie.build(names))


@pytest.fixture
def school(store: Store) -> Store:
    """The store, with one person in each role and two of SLT."""
    with store.write() as session:
        for name, role in PEOPLE.items():
            kept = "no password's hash" if role is Role.SLT else None
            session.add(
                models.Person(name=name, display_name=name.title(), role=role, password_hash=kept, added_at=NOW)
            )
    return store


def actor(name: str) -> Actor:
    return Actor(name, name.title(), PEOPLE[name])


@pytest.fixture
def head() -> Actor:
    return actor("head")


@pytest.fixture
def deputy() -> Actor:
    return actor("deputy")


@pytest.fixture
def tech() -> Actor:
    return actor("tech")


@pytest.fixture
def netops() -> Actor:
    return actor("netops")


@pytest.fixture
def staff() -> Actor:
    return actor("j.smith")
