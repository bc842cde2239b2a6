"""Names that countless sites live on: content networks, clouds, hosting, the domains of whole companies.

The law: no service of the catalogue, no exempt bundle and no certificate takes one of these in. A catalogue that did
would refuse half the web with it; a CA that could speak for one could speak for half the web. One customer's own host
below such a name may be named (``yt3.ggpht.com``), unless the platform is ``whole``: there, names are handed out and
taken back, and those in between (``s3.eu-west-2.amazonaws.com``) are without number.
"""

from typing import NamedTuple

from policies.index import HostIndex
from policies.names import HostName, is_public_suffix, is_within


class Platform(NamedTuple):
    """Shared names of one operator, and where it is said that they are shared."""

    operator: str
    source: str
    names: tuple[str, ...]
    whole: bool = False


PSL = "Public Suffix List, private section: names below belong to different customers"

SHARED_INFRASTRUCTURE = (
    Platform(
        "Akamai", "Public Suffix List (Akamai's entries), techdocs.akamai.com on edge host names",
        ("akadns.net", "akam.net", "akamai.net", "akamaiedge.net", "akamaihd.net", "akamaistream.net", "akamaized.net",
         "edgekey.net", "edgesuite.net"),
    ),
    Platform(
        "Amazon Web Services", PSL,
        ("amazonaws.com", "amazonaws.com.cn", "awsglobalaccelerator.com", "awsapprunner.com",
         "elasticbeanstalk.com"),
        whole=True,
    ),
    Platform("Amazon CloudFront, Amplify", PSL, ("cloudfront.net", "amplifyapp.com", "awsstatic.com")),
    Platform("Amazon IVS", "docs.aws.amazon.com/ivs: playback of every customer's streams", ("live-video.net",)),
    Platform(
        "Microsoft Azure, names handed out", PSL + "; learn.microsoft.com on Azure's domains",
        ("azurestaticapps.net", "azurewebsites.net", "cloudapp.azure.com", "cloudapp.net", "core.windows.net",
         "trafficmanager.net"),
        whole=True,
    ),
    Platform(
        "Microsoft Azure", "learn.microsoft.com on Azure's domains: its own hosts and customers' side by side",
        ("azure.com", "azure.net", "azureedge.net", "azurefd.net", "msecnd.net", "vo.msecnd.net", "windows.net"),
    ),
    Platform(
        "Microsoft", "learn.microsoft.com, Office 365 URLs: many products on each",
        ("microsoft.com", "live.com", "live.net", "office.com", "office.net", "office365.com", "microsoftonline.com",
         "cloud.microsoft", "sharepoint.com", "windows.com", "msn.com", "bing.com", "msedge.net", "l-msedge.net",
         "a-msedge.net", "b-msedge.net", "dc-msedge.net", "s-msedge.net", "aspnetcdn.com", "outlook.com"),
    ),
    Platform(
        "Google", "support.google.com, domains to allow for Google services: many products on each",
        ("google.com", "google.co.uk", "googleapis.com", "gstatic.com", "googleusercontent.com", "ggpht.com", "goog",
         "l.google.com", "lh3.googleusercontent.com", "lh4.googleusercontent.com", "lh5.googleusercontent.com",
         "lh6.googleusercontent.com", "googlehosted.com", "withgoogle.com", "googletagmanager.com",
         "google-analytics.com", "gvt1.com", "gvt2.com", "goo.gl", "app.goo.gl", "doubleclick.net"),
    ),
    Platform(
        "Google Cloud and Firebase", PSL,
        ("appspot.com", "r.appspot.com", "cloudfunctions.net", "firebaseapp.com", "firebaseio.com", "run.app",
         "web.app", "storage.googleapis.com", "firebasestorage.googleapis.com"),
    ),
    Platform(
        "Apple", "support.apple.com/101555: many services on each",
        ("apple.com", "icloud.com", "apple-dns.net", "fe.apple-dns.net", "cdn-apple.com", "mzstatic.com", "aaplimg.com",
         "itunes.apple.com", "me.com", "icloud-content.com"),
    ),
    Platform(
        "Cloudflare", PSL + "; developers.cloudflare.com",
        ("cloudflare.com", "cloudflare.net", "cdn.cloudflare.net", "cdnjs.cloudflare.com", "pages.dev", "workers.dev",
         "r2.dev", "cloudflarestorage.com", "r2.cloudflarestorage.com",
         "cloudflarestream.com", "trycloudflare.com", "imagedelivery.net"),
    ),
    Platform(
        "Fastly", PSL,
        ("fastly.net", "fastlylb.net", "map.fastly.net", "map.fastlylb.net", "global.ssl.fastly.net",
         "global.prod.fastly.net", "a.ssl.fastly.net", "b.ssl.fastly.net", "a.prod.fastly.net", "freetls.fastly.net",
         "fastly-edge.com", "edgecompute.app"),
    ),
    Platform(
        "Other content networks", "the operators' own pages: a host, or a path, for each customer",
        ("b-cdn.net", "bunnycdn.com", "cachefly.net", "cdn.ampproject.org", "cdn77.com", "cdn77.org", "cdnetworks.net",
         "edgecastcdn.net", "footprint.net", "gcdn.co", "hwcdn.net", "imgix.net", "jsdelivr.net", "kxcdn.com",
         "lldns.net", "llnwd.net", "llnwi.net", "netdna-cdn.com", "netdna-ssl.com", "qiniucdn.com", "stackpathcdn.com",
         "stackpathdns.com", "unpkg.com"),
    ),
    Platform(
        "Hosting with a name for each customer", PSL + "; the operators' own pages",
        ("aliyuncs.com", "backblazeb2.com", "deno.dev", "digitaloceanspaces.com", "fly.dev", "github.io",
         "githubusercontent.com", "gitlab.io", "glitch.me", "herokuapp.com", "linodeobjects.com", "myqcloud.com",
         "myshopify.com", "netlify.app", "now.sh", "ondigitalocean.app", "onrender.com", "oraclecloud.com",
         "pythonanywhere.com", "repl.co", "replit.app", "replit.dev", "squarespace.com", "surge.sh", "vercel.app",
         "wasabisys.com", "wixsite.com", "wpengine.com"),
    ),
    Platform(
        "Tencent, Kakao, Naver, Yandex, Yahoo", "v2fly/domain-list-community: search, mail, shops and more on each",
        ("qq.com", "gtimg.com", "kakao.com", "kakaocdn.net", "naver.com", "naver.jp", "pstatic.net", "yandex.net",
         "yandex.ru", "yahoo.com", "yimg.com", "yahooapis.com"),
    ),
    Platform(
        "Shared by unrelated sites", "the operators' own pages: links, pictures, scripts, log-ins of any site",
        ("adjust.com", "amazon.co.uk", "amazon.com", "app.link", "archive.org", "bit.ly", "bnc.lt", "cookielaw.org",
         "gamespot.com", "gravatar.com", "hcaptcha.com", "meta.com", "mit.edu", "mozilla.net", "mozilla.org",
         "onelink.me", "proton.me", "recaptcha.net", "sentry.io", "vivaldi.net", "w.org", "wordpress.org", "wp.com",
         "ycombinator.com", "zendesk.com"),
    ),
)  # fmt: skip

_PLATFORMS = {HostName(name): platform for platform in SHARED_INFRASTRUCTURE for name in platform.names}
_WHOLE = HostIndex({name: platform for name, platform in _PLATFORMS.items() if platform.whole})


def shared_platform(host: HostName) -> Platform | None:
    """The platform that a domain is, that it lies above, or in whose changing names it lies."""
    if (whole := _WHOLE.find(host)) is not None:
        return whole[1]
    return next((platform for name, platform in _PLATFORMS.items() if is_within(name, host)), None)


def is_shared_infrastructure(host: HostName) -> bool:
    """Whether unrelated sites would be taken in with this domain and everything below it."""
    return is_public_suffix(host) or shared_platform(host) is not None
