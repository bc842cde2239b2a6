"""How the root is given to devices, platform by platform, and what each honours of the CA's confinement.

What is said of a platform is taken from its maker's own documentation, named beside it; where that says nothing, the
guide says so. ``{file}`` is the file to take along, ``{name}`` the root's name as the platform will show it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guide:
    """``file``: what it is called unless somebody says otherwise; its ending says what is in it."""

    platform: str
    file: str
    steps: tuple[str, ...]
    honours: str
    sources: tuple[str, ...]
    unconfirmed: str = ""  # what their maker's documentation, as far as it could be read, does not say


MENUS = "the names of the menus, which move"
APPLE_SINCE = "since which version Apple checks name constraints"
CHROME = "Chrome Root Store: Frequently Asked Questions (Chromium)"
WINDOWS = (
    "Windows checks name constraints, excluded ones too, when it builds the chain (CERT_TRUST_HAS_NOT_PERMITTED_NAME_"
    "CONSTRAINT, CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT); Edge and Chrome do so themselves."
)
WINDOWS_SOURCE = "CERT_TRUST_STATUS structure (Microsoft Learn)"
APPLE = (
    "Apple evaluates TLS certificates as RFC 5280 says (Apple Platform Security), and the published source of its "
    "Security framework checks name constraints, permitted and excluded. A version that does not know them refuses the "
    "certificate, for the extension is critical."
)
APPLE_SOURCES = (
    "TLS security, Apple Platform Security (Apple)",
    "Requirements for trusted certificates in iOS 13 and macOS 10.15 (Apple)",
    "CertificateRoot, Device Management (Apple Developer)",
)

GUIDES = (
    Guide(
        "group-policy",
        "schoolgate-root.cer",
        (
            "In the Group Policy Management Console, edit a policy object that is linked to the computers.",
            (
                "Open Computer Configuration > Policies > Windows Settings > Security Settings > Public Key Policies > "
                "Trusted Root Certification Authorities."
            ),
            "Right-click > Import, and choose {file}.",
            "On one computer: gpupdate /force, then certutil -store Root. It lists {name}.",
        ),
        f"{WINDOWS} Firefox takes roots over from Windows unless that is switched off.",
        ("Policies to establish trust of root certification authorities (Microsoft)", WINDOWS_SOURCE, CHROME),
    ),
    Guide(
        "intune",
        "schoolgate-root.cer",
        (
            "In the Intune admin center: Devices > Configuration > Create > New policy.",
            "Choose the platform, and the template Trusted certificate; one profile for each platform.",
            "Upload {file}. For Windows choose the store: Computer certificate store - Root.",
            "Assign it to the groups of devices, and look at the profile's report after the next check-in.",
        ),
        f"{WINDOWS} On iPhone, iPad, Mac and Android see the guides for those. From Android 11 on, devices enrolled "
        "as device administrator can no longer be given a root by Intune (Samsung Knox excepted).",
        (
            "Create trusted certificate profiles in Microsoft Intune (Microsoft Learn)",
            "Create and assign SCEP certificate profiles in Intune (Microsoft Learn)",
            WINDOWS_SOURCE,
        ),
        MENUS,
    ),
    Guide(
        "jamf",
        "schoolgate-root.mobileconfig",
        (
            "In Jamf Pro: Computers (or Devices) > Configuration Profiles > Upload, and choose {file}.",
            "Level: Computer Level, so that it holds for everybody who uses it.",
            "Scope: the computers and devices of the school. Save.",
            "On one Mac: Keychain Access > System > Certificates shows {name} as trusted.",
        ),
        f"{APPLE} A root that device management installs is trusted for TLS without anybody's switch.",
        ("Computer Configuration Profiles, Jamf Pro Documentation (Jamf)", *APPLE_SOURCES),
        APPLE_SINCE,
    ),
    Guide(
        "chromebook",
        "schoolgate-root.pem",
        (
            "In the Google Admin console: Devices > Networks, choose the organisational unit, then Certificates.",
            "Add Certificate: name it {name}, upload {file} (it must be PEM).",
            "Tick Chromebook under Certificate Authority, and save.",
            "On a Chromebook of that unit: chrome://certificate-manager shows it.",
        ),
        "ChromeOS verifies with Chrome's own verifier since Chrome 114, which checks name constraints of every "
        "intermediate as RFC 5280 says, and since Chrome 112 also those of roots that were added locally.",
        (
            "Set up TLS (or SSL) inspection on Chrome devices (Google Chrome Enterprise Help)",
            CHROME,
            "EnforceLocalAnchorConstraintsEnabled, Chrome Enterprise policy list (Google)",
        ),
        MENUS,
    ),
    Guide(
        "firefox",
        "policies.json",
        (
            (
                "Windows, macOS and Android: nothing to do. Firefox takes over roots that the system was given, unless "
                "the policy ImportEnterpriseRoots, or a user, switched that off."
            ),
            (
                "Linux: schoolgate ca export --out schoolgate-root.pem, and copy that file to /usr/lib/mozilla/"
                "certificates/ on each computer."
            ),
            "Copy {file} to /etc/firefox/policies/. If there is one already, add its Certificates to it.",
            "Start Firefox again: about:policies shows it as active.",
        ),
        "Firefox verifies with mozilla::pkix, which follows the X.509 specifications of the internet closely.",
        (
            "Certificates, Firefox policy reference (Mozilla)",
            "Set up Certificate Authorities (CAs) in Firefox (Mozilla Support)",
            "mozilla::pkix ships in Firefox! (Mozilla Security Blog)",
        ),
        "that mozilla::pkix checks name constraints (its source does; its documentation does not say)",
    ),
    Guide(
        "ios",
        "schoolgate-root.mobileconfig",
        (
            "Managed iPhones and iPads: upload {file} to the device management as a custom profile; no more is needed.",
            "Others: send {file} to the device and open it, then Settings > Profile Downloaded > Install.",
            "Compare the fingerprint under More Details before you tap Install.",
            (
                "Then Settings > General > About > Certificate Trust Settings, and switch on full trust for {name}. "
                "Without this it is installed, and trusted for nothing."
            ),
        ),
        f"{APPLE} Chrome on iOS uses Apple's verifier too.",
        (*APPLE_SOURCES, CHROME, "Trust manually installed certificate profiles (Apple Support)"),
        f"{MENUS}; {APPLE_SINCE}",
    ),
    Guide(
        "macos",
        "schoolgate-root.mobileconfig",
        (
            "Managed Macs: upload {file} to the device management as a custom profile; no more is needed.",
            "Others: open {file}, then System Settings > General > Device Management, and install it.",
            (
                "In Keychain Access > System > Certificates open {name}, compare the fingerprint, and set Trust > "
                "Secure Sockets Layer (SSL) to Always Trust."
            ),
        ),
        f"{APPLE} Chrome and Edge verify with Chrome's own verifier since version 108 and check them too.",
        (*APPLE_SOURCES, CHROME),
        f"{MENUS}; {APPLE_SINCE}",
    ),
    Guide(
        "android",
        "schoolgate-root.crt",
        (
            "Managed devices: upload {file} to the device management as a trusted CA certificate.",
            (
                "Others: copy {file} to the device, then Settings > Security > More security > Encryption & "
                "credentials > Install a certificate > CA certificate. The names of these menus differ between makers."
            ),
            "Under Trusted credentials > User, open {name} and compare the fingerprint.",
        ),
        "Chrome verifies with its own verifier since Chrome 115 and checks name constraints. Apps that target Android "
        "7 or later do not trust roots that users or administrators added, unless they say so themselves: in them a "
        "refusal is an error, not the page.",
        ("Changes to Trusted Certificate Authorities in Android Nougat (Android Developers Blog)", CHROME),
        f"{MENUS}; what Android's own verifier honours",
    ),
    Guide(
        "linux",
        "schoolgate-root.pem",
        (
            (
                "Debian, Ubuntu: copy {file} to /usr/local/share/ca-certificates/ as schoolgate-root.crt, "
                "then update-ca-certificates."
            ),
            "Fedora, Red Hat: copy it to /etc/pki/ca-trust/source/anchors/, then update-ca-trust.",
            (
                "Chrome and Chromium, each user, with certutil from libnss3-tools (Debian, Ubuntu) or nss-tools "
                "(Fedora, Red Hat): mkdir -p $HOME/.pki/nssdb && "
                "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n schoolgate -i {file}"
            ),
            "Firefox: see the guide for firefox.",
        ),
        "OpenSSL (and so curl) and Chromium refuse whatever is outside the constraints; schoolgate's own tests try "
        "it with both.",
        (
            "update-ca-certificates(8) (Debian)",
            "Using Shared System Certificates (Fedora)",
            CHROME,
        ),
    ),
)
BY_PLATFORM = {guide.platform: guide for guide in GUIDES}
