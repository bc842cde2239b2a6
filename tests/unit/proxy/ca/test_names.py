"""Which names the CA is made for."""

from policies.index import NameTrie
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.model import Catalogue, Category, Policy, Service
from policies.names import HostName, is_within
from proxy.ca.names import refusable_names


def service(key: str, category: str, *domains: str, shared: tuple[str, ...] = ()) -> Service:
    fields = {"key": key, "name": key, "category": category, "domains": domains, "shared_hosts": shared}
    return Service.model_validate(fields)


SERVICES = (
    service("facebook", "social", "facebook.com", shared=("akamai.net", "teach.tiktok.com")),
    service("youtube", "video", "youtube.com", "youtu.be"),
    service("tiktok", "video", "tiktok.com", "teach.tiktok.com"),
    service("tunnel", "circumvention", "tunnel.example"),
)


def catalogue() -> Catalogue:
    entries = [(HostName(d), number) for number, service in enumerate(SERVICES) for d in service.domains]
    categories = {key: Category(key=key, name=key) for key in ("social", "video", "circumvention")}
    return Catalogue("1", categories, {service.key: service for service in SERVICES}, NameTrie.build(entries))


def policy(**more: object) -> Policy:
    return Policy.model_validate(
        {
            "school": {"name": "A school", "contact": "the office"},
            "networks": {"estate": {"name": "estate"}},
            "timetable": {},
            "rules": [{"name": "closed", "clause": "3", "verdict": "deny"}],
            **more,
        }
    )


def test_every_domain_that_may_be_refused() -> None:
    """All domains of all services by category; the hosts they share with others are left out."""
    assert refusable_names(policy(), catalogue()) == {
        "social": ("facebook.com",),
        "video": ("youtube.com", "youtu.be", "tiktok.com", "teach.tiktok.com"),
        "circumvention": ("tunnel.example",),
    }


def test_what_is_exempt_needs_no_certificate() -> None:
    """A service or a domain that the policy passes is never answered for, so the CA cannot speak for it."""
    exempt = [{"because": "lessons", "clause": "3", "services": ["youtube"], "domains": ["teach.tiktok.com"]}]
    assert refusable_names(policy(exempt=exempt), catalogue())["video"] == ("tiktok.com",)


def test_what_an_exempt_service_cannot_work_without_needs_none() -> None:
    """A domain of one service that another, exempt one shares passes with it."""
    exempt = [{"because": "lessons", "clause": "3", "services": ["facebook"]}]
    assert refusable_names(policy(exempt=exempt), catalogue())["video"] == ("youtube.com", "youtu.be", "tiktok.com")


def test_a_locked_service_is_refused_even_if_exempt() -> None:
    """The lock is judged first, so there is a page to show."""
    exempt = [{"because": "a slip", "clause": "3", "services": ["tunnel"]}]
    locked = [{"name": "circumvention", "clause": "3", "categories": ["circumvention"]}]
    assert "circumvention" in refusable_names(policy(exempt=exempt, locked=locked), catalogue())


def test_a_category_with_nothing_left_is_left_out() -> None:
    """No intermediate is made for no names."""
    exempt = [{"because": "a choice", "clause": "3", "services": ["facebook"]}]
    assert "social" not in refusable_names(policy(exempt=exempt), catalogue())


SHARED = """
    cloudfront.net akamaihd.net akamaized.net akamai.net akamaiedge.net edgekey.net edgesuite.net fastly.net
    cloudflare.com cloudflare.net workers.dev pages.dev amazonaws.com s3.amazonaws.com googleusercontent.com gstatic.com
    googleapis.com google.com appspot.com azureedge.net azurefd.net windows.net blob.core.windows.net github.io
    herokuapp.com netlify.app vercel.app b-cdn.net jsdelivr.net unpkg.com llnwd.net edgecastcdn.net microsoft.com
    apple.com icloud.com com net org uk co.uk
"""


def test_no_general_purpose_domain_is_ever_permitted() -> None:
    """For the catalogue as it is shipped: no certificate of the CA could stand for a site on a shared network."""
    policy, catalogue = load_policy(default_policy_path()), load_catalogue()
    permitted = {name for names in refusable_names(policy, catalogue).values() for name in names}
    assert len(permitted) > 300
    shared = [HostName(name) for name in SHARED.split()]
    assert [(name, host) for name in permitted for host in shared if is_within(host, name)] == []


def test_a_shared_domain_in_a_list_is_left_out() -> None:
    """Refused it may be, by name; the CA will not speak for it."""
    wide = service("wide", "social", "wide.example", "cloudfront.net", "d1111.cloudfront.net")
    trie = NameTrie.build([(HostName(d), 0) for d in wide.domains])
    listed = Catalogue("1", {"social": Category(key="social", name="social")}, {"wide": wide}, trie)
    assert refusable_names(policy(), listed) == {"social": ("wide.example", "d1111.cloudfront.net")}


def test_the_gateways_own_name_is_a_category_of_its_own() -> None:
    """For the listener that speaks TLS; normalised, and only where there is one."""
    assert refusable_names(policy(), catalogue(), "Gate.School.Example.")["gateway"] == ("gate.school.example",)
    assert "gateway" not in refusable_names(policy(), catalogue())
