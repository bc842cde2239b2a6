"""Which domains are nobody's own, and so are in no catalogue, in no bundle and under no certificate."""

from collections import Counter

import pytest

from policies.names import HostName, host_name
from policies.shared_infrastructure import SHARED_INFRASTRUCTURE, is_shared_infrastructure, shared_platform

SHARED = """
    cloudfront.net akamaihd.net akamaized.net akamaiedge.net edgekey.net edgesuite.net fastly.net cloudflare.com
    amazonaws.com s3.amazonaws.com s3.eu-west-2.amazonaws.com a-bucket.s3.eu-west-2.amazonaws.com
    googleusercontent.com gstatic.com googleapis.com google.com storage.googleapis.com azureedge.net azurefd.net
    blob.core.windows.net windows.net github.io herokuapp.com workers.dev jsdelivr.net unpkg.com microsoft.com apple.com
    com net uk co.uk ssl.fastly.net live-video.net wp.com
"""
OWN = """
    facebook.com fbcdn.net googlevideo.com d1111.cloudfront.net scontent.akamaihd.net gov.uk yt3.ggpht.com
    classroom.google.com reddit.map.fastly.net hls.live-video.net notcloudfront.net
"""


@pytest.mark.parametrize("name", SHARED.split())
def test_what_many_share(name):
    """Content networks, clouds, registries, whole companies, and whatever lies above them."""
    assert is_shared_infrastructure(HostName(name))


@pytest.mark.parametrize("name", OWN.split())
def test_what_is_one_services_own(name):
    """A service's own domain, and its own place on a platform."""
    assert not is_shared_infrastructure(HostName(name))


def test_each_name_is_normal_and_stands_once():
    """Else it would never match, or say two things of one name."""
    names = [name for platform in SHARED_INFRASTRUCTURE for name in platform.names]
    assert [name for name in names if host_name(name) != name] == []
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_each_platform_says_why_and_from_where():
    """Somebody who doubts an entry can look it up."""
    assert [platform for platform in SHARED_INFRASTRUCTURE if not (platform.operator and platform.source)] == []
    assert shared_platform(HostName("eu.s3.amazonaws.com")).operator == "Amazon Web Services"
