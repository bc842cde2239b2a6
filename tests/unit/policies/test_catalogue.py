"""The catalogue that comes with schoolgate is complete and consistent, and covers no more than it says."""

import io
import re
from collections import Counter
from itertools import chain
from pathlib import Path

import publicsuffix2
import pytest

from policies.authorisation import Target
from policies.names import host_name, is_within, parents
from policies.shared_infrastructure import is_shared_infrastructure

# Names that imported lists are known to take along, and ordinary sites that look like a service.
OTHERS = [
    "reactjs.org", "react.dev", "ogp.me", "groups.com", "netflix.com", "notfacebook.com", "facebook.com.evil.example",
    "www.bbc.co.uk", "www.google.com", "accounts.google.com", "fonts.googleapis.com", "www.microsoft.com",
    "github.com", "login.microsoftonline.com", "i0.wp.com", "wordpress.org", "www.gov.uk", "en.wikipedia.org",
    "bskyb.com", "sky.com", "use-application-dns.net", "www.icloud.com", "translate.google.com",
    "ajax.googleapis.com", "outlook.office.com", "support.google.com", "docs.google.com", "drive.google.com",
    "reddithelp.com", "graph.microsoft.com", "about.meta.com", "open.spotify.com", "www.thenational.academy",
    "login.live.com", "config.edge.skype.com",
]  # fmt: skip
HOSTS = {
    "facebook": ["www.facebook.com", "scontent-lhr8-1.xx.fbcdn.net", "fb.watch"],
    "messenger": ["www.messenger.com", "m.me"],
    "instagram": ["www.instagram.com", "scontent.cdninstagram.com"],
    "viva-engage": ["web.yammer.com", "engage.cloud.microsoft"],
    "whatsapp": ["web.whatsapp.com", "mmg.whatsapp.net", "wa.me"],
    "threads": ["www.threads.com", "www.threads.net"],
    "bereal": ["bere.al"],
    "yubo": ["www.yubo.live"],
    "wizz": ["wizz.chat"],
    "x": ["x.com", "twitter.com", "t.co", "abs.twimg.com"],
    "tiktok": [
        "www.tiktok.com",
        "v16.tiktokcdn.com",
        "lf16-tiktok-web.ttwstatic.com",
        "p16-tiktokcdn-com.akamaized.net",
    ],
    "snapchat": ["www.snapchat.com", "cf-st.sc-cdn.net"],
    "reddit": ["old.reddit.com", "i.redd.it", "preview.redd.it", "a.thumbs.redditmedia.com"],
    "pinterest": ["www.pinterest.co.uk", "i.pinimg.com"],
    "discord": [
        "discord.com",
        "gateway.discord.gg",
        "cdn.discordapp.com",
        "media.discordapp.net",
        "london1.discord.media",
    ],
    "tumblr": ["staff.tumblr.com"],
    "telegram": ["web.telegram.org", "t.me"],
    "signal": ["chat.signal.org"],
    "mastodon": ["mastodon.social", "files.mastodon.online"],
    "bluesky": ["bsky.app", "cdn.bsky.app", "bsky.network", "api.bsky.chat"],
    "linkedin": ["www.linkedin.com", "media.licdn.com"],
    "roblox": ["www.roblox.com", "tr.rbxcdn.com"],
    "twitch": ["www.twitch.tv", "static.twitchcdn.net"],
    "omegle": ["www.omegle.com"],
    "youtube": ["www.youtube.com", "youtu.be", "r4---sn-x.googlevideo.com", "i.ytimg.com"],
    "vimeo": ["player.vimeo.com"],
    "medium": ["medium.com"],
    "wordpress-com": ["aschool.wordpress.com"],
    "blogger": ["aschool.blogspot.com"],
    "quora": ["www.quora.com"],
    "4chan": ["boards.4chan.org"],
    "tinder": ["tinder.com"],
    "ngl": ["ngl.link"],
    "microsoft-teams": ["teams.microsoft.com"],
    "encrypted-dns": ["dns.google", "chrome.cloudflare-dns.com"],
    "icloud-private-relay": ["mask.icloud.com", "mask-h2.icloud.com"],
    "encrypted-client-hello": ["cloudflare-ech.com"],
    "google-translate-pages": ["www-facebook-com.translate.goog"],
}
CATEGORIES = {
    "social-network", "messaging", "forum", "blog", "video-sharing", "image-sharing", "live-streaming", "dating",
    "anonymous-qa", "virtual-world", "learning", "page-relay", "circumvention",
}  # fmt: skip


@pytest.fixture(scope="session")
def services(shipped_catalogue):
    return tuple(shipped_catalogue.services.values())


def test_enough_services_in_every_category(shipped_catalogue, services):
    """Two hundred services at least, over every category of the policy, each category with several."""
    assert len(services) >= 200
    assert set(shipped_catalogue.categories) == CATEGORIES
    counts = Counter(service.category for service in services)
    assert all(counts[category] >= 4 for category in CATEGORIES), counts


@pytest.mark.parametrize("key", HOSTS)
def test_a_service_has_its_hosts(shipped_catalogue, key):
    """What people type for a service finds the hosts it is made of."""
    found = {host: shipped_catalogue.find(host_name(host)) for host in HOSTS[key]}
    assert {host: service and service.key for host, service in found.items()} == dict.fromkeys(HOSTS[key], key)


@pytest.mark.parametrize("host", OTHERS)
def test_ordinary_sites_are_in_no_service(shipped_catalogue, host):
    """No over-blocking: developers' sites, look-alikes, what ordinary sites need."""
    assert shipped_catalogue.find(host_name(host)) is None


def test_no_shared_infrastructure_is_swallowed(services):
    """A service names its own hosts on a platform that others share, never the platform."""
    assert [domain for service in services for domain in service.domains if is_shared_infrastructure(domain)] == []


def test_no_public_suffix_is_swallowed(services):
    """No domain is one that a registry sells names under, nor above one."""
    published = Path(publicsuffix2.PSL_FILE).read_text(encoding="utf-8")
    registries = publicsuffix2.PublicSuffixList(io.StringIO(published.partition("===END ICANN DOMAINS===")[0]))
    domains = list(chain.from_iterable((*service.domains, *service.shared_hosts) for service in services))
    assert registries.get_public_suffix("www.example.co.uk") == "example.co.uk"
    assert [
        domain for domain in domains if registries.get_public_suffix(domain) not in (domain, *parents(domain))
    ] == []
    assert [domain for domain in domains if domain in registries.tlds] == []


def test_every_domain_stands_once_and_needs_to_stand(services):
    """No domain twice, and none below another of the same service."""
    domains = list(chain.from_iterable(service.domains for service in services))
    assert [domain for domain, count in Counter(domains).items() if count > 1] == []
    owner = {domain: service.key for service in services for domain in service.domains}
    needless = [d for d in domains for above in parents(d) if owner.get(above) == owner[d]]
    assert needless == []


def test_every_name_is_normal(services):
    """As it is compared: lower case, A-labels, no trailing dot."""
    domains = chain.from_iterable((*service.domains, *service.shared_hosts) for service in services)
    assert [domain for domain in domains if host_name(domain) != domain] == []


def test_every_service_has_a_category_that_exists(shipped_catalogue, services):
    """And no two have one name: people grant by it."""
    assert [service.key for service in services if service.category not in shipped_catalogue.categories] == []
    names = Counter(service.name.casefold() for service in services)
    assert [name for name, count in names.items() if count > 1] == []


def test_shared_hosts_are_anothers(shipped_catalogue, services):
    """A shared host belongs to another service of the catalogue; else it would pass anyway."""
    for service in services:
        for host in service.shared_hosts:
            owner = shipped_catalogue.find(host)
            assert owner is not None, (service.key, host)
            assert owner.key != service.key, (service.key, host)
            assert owner.category != "circumvention"


def test_a_shared_host_is_less_than_the_service_it_belongs_to(shipped_catalogue, services):
    """Opening Instagram does not open facebook.com by the way."""
    fronts = {"www.facebook.com", "m.facebook.com", "www.instagram.com", "www.youtube.com", "www.tiktok.com", "x.com"}
    for service in services:
        for front in map(host_name, fronts):
            assert not any(is_within(front, shared) for shared in service.shared_hosts), service.key


def test_every_service_says_where_its_list_is_from(services):
    """A dated list that has its names, or that they are from knowledge, and since when."""
    vague = [
        s.key
        for s in services
        if not re.search(r"of \d{4}-\d\d-\d\d has|\(\d{4}-\d\d\) has|from knowledge, \d{4}", s.source)
    ]
    assert vague == []


HELP = """
    help.instagram.com help.x.com faq.whatsapp.com support.tiktok.com help.snapchat.com parents.snapchat.com
    support.discord.com help.pinterest.com help.twitch.tv safety.twitch.tv support.signal.org help.bereal.com
    help.tumblr.com help.quora.com help.medium.com help.vimeo.com en.help.roblox.com support.google.com
    developers.facebook.com developers.tiktok.com developers.snap.com developers.pinterest.com docs.x.com
    developer.x.com dev.twitch.tv docs.discord.com create.roblox.com developer.wordpress.com developer.vimeo.com
    reactjs.org react.dev developers.google.com learn.microsoft.com support.reddithelp.com
"""


@pytest.mark.parametrize("host", HELP.split())
def test_help_and_developers_sites_pass(shipped_catalogue, shipped_policy, host):
    """What is said about a service is not the service: unlisted, or exempt by its own name."""
    name = host_name(host)
    service = shipped_catalogue.find(name)
    assert service is None or shipped_policy.exemption_of(name, ()) is not None


def test_every_exempt_host_has_a_use(shipped_catalogue, shipped_policy):
    """A host exempt by hand lies below a service; another would pass anyway."""
    by_hand = [d for e in shipped_policy.exempt if e.bundle is None for d in e.domains]
    assert [domain for domain in by_hand if shipped_catalogue.find(domain) is None] == []


def test_teaching_services_exist_and_say_why(shipped_catalogue, shipped_policy):
    """Each a choice with clause and reason, of a service that there is; what schools argue about is among them."""
    chosen = {choice.service: choice for choice in shipped_policy.teaching}
    assert [key for key in chosen if key not in shipped_catalogue.services] == []
    assert [key for key, choice in chosen.items() if not (choice.clause and len(choice.because) > 20)] == []
    assert set(chosen) >= {
        "youtube", "youtube-education", "microsoft-teams", "google-classroom", "google-meet", "scratch", "padlet",
        "flip", "vimeo", "whatsapp", "discord", "stack-exchange", "edublogs", "linkedin", "pinterest", "viva-engage",
    }  # fmt: skip
    opened = {key for key, choice in chosen.items() if choice.allow}
    assert opened == {"microsoft-teams", "google-classroom", "google-meet", "youtube-education", "scratch", "padlet"}


@pytest.mark.parametrize(
    ("target", "host", "covered"),
    [
        ("instagram", "www.instagram.com", True),
        ("instagram", "static.xx.fbcdn.net", True),
        ("instagram", "www.facebook.com", False),
        ("facebook", "www.instagram.com", False),
        ("category:social-network", "x.com", True),
        ("category:social-network", "www.reddit.com", False),
        ("all", "www.reddit.com", True),
        ("all", "www.bbc.co.uk", False),
        ("domain:bbc.co.uk", "www.bbc.co.uk", True),
    ],
)
def test_what_a_target_covers(shipped_catalogue, target, host, covered):
    """What was named and what it cannot work without (law 8)."""
    name = host_name(host)
    assert shipped_catalogue.covers(Target.parse(target), name, shipped_catalogue.find(name)) is covered
