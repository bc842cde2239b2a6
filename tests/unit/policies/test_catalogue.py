"""The catalogue that comes with schoolgate is complete and consistent, and covers no more than it says."""

from collections import Counter
from itertools import chain

import pytest

from policies.authorisation import Target
from policies.names import host_name, is_within

# Public platforms that countless other sites live on: a service may name its own host there, never the platform.
SHARED_PLATFORMS = [
    "akamaihd.net", "akamaized.net", "akamaiedge.net", "edgekey.net", "edgesuite.net", "cloudfront.net",
    "amazonaws.com", "azureedge.net", "l-msedge.net", "dc-msedge.net", "fastly.net", "cloudflare.net", "googleapis.com",
    "gstatic.com", "googleusercontent.com", "ggpht.com", "google.com", "appspot.com", "microsoft.com", "office.net",
    "live.com", "wp.com", "apple.com", "icloud.com", "apple-dns.net", "qq.com", "kakao.com", "meta.com", "app.link",
    "live-video.net", "cdn.ampproject.org", "archive.org", "mozilla.org", "proton.me", "groups.com", "w.org",
    "wordpress.org",
]  # fmt: skip
# Names that imported lists are known to take along, and ordinary sites that look like a service.
OTHERS = [
    "reactjs.org", "react.dev", "ogp.me", "groups.com", "netflix.com", "notfacebook.com", "facebook.com.evil.example",
    "www.bbc.co.uk", "www.google.com", "accounts.google.com", "fonts.googleapis.com", "www.microsoft.com", "github.com",
    "login.microsoftonline.com", "i0.wp.com", "wordpress.org", "www.gov.uk", "en.wikipedia.org", "bskyb.com", "sky.com",
    "use-application-dns.net", "www.icloud.com", "translate.google.com", "ajax.googleapis.com", "outlook.office.com",
]  # fmt: skip
HOSTS = {
    "facebook": ["www.facebook.com", "scontent-lhr8-1.xx.fbcdn.net", "fb.watch"],
    "messenger": ["www.messenger.com", "m.me"],
    "instagram": ["www.instagram.com", "scontent.cdninstagram.com"],
    "whatsapp": ["web.whatsapp.com", "mmg.whatsapp.net", "wa.me"],
    "threads": ["www.threads.com", "www.threads.net"],
    "x": ["x.com", "twitter.com", "t.co", "abs.twimg.com"],
    "tiktok": ["www.tiktok.com", "v16.tiktokcdn.com", "lf16-tiktok-web.ttwstatic.com"],
    "snapchat": ["www.snapchat.com", "cf-st.sc-cdn.net"],
    "reddit": ["old.reddit.com", "i.redd.it"],
    "pinterest": ["www.pinterest.co.uk", "i.pinimg.com"],
    "discord": ["discord.com", "gateway.discord.gg", "cdn.discordapp.com"],
    "tumblr": ["staff.tumblr.com"],
    "telegram": ["web.telegram.org", "t.me"],
    "signal": ["chat.signal.org"],
    "mastodon": ["mastodon.social", "files.mastodon.online"],
    "bluesky": ["bsky.app", "cdn.bsky.app"],
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
    """Sixty services at least, over every category of the policy, each category with several."""
    assert len(services) >= 60
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


def test_no_shared_platform_is_swallowed(services):
    """A service names its own hosts on a platform that others share, never the platform."""
    platforms = set(SHARED_PLATFORMS)
    assert [domain for service in services for domain in service.domains if domain in platforms] == []


def test_every_domain_stands_once_and_needs_to_stand(services):
    """No domain twice, and none below another of the same service."""
    domains = list(chain.from_iterable(service.domains for service in services))
    assert [domain for domain, count in Counter(domains).items() if count > 1] == []
    needless = [
        domain
        for service in services
        for domain in service.domains
        for other in service.domains
        if domain != other and is_within(domain, other)
    ]
    assert needless == []


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
    """A name as people know it, and a source."""
    assert [service.key for service in services if not (service.name and service.source)] == []


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
