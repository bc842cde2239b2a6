"""The root as a file to take along: PEM, DER, an Apple configuration profile, a policy for Firefox. Nothing secret."""

import json
import plistlib
from uuid import NAMESPACE_OID, uuid5

from cryptography import x509
from cryptography.x509.oid import NameOID

from proxy.ca.certificates import certificate_der, certificate_pem, fingerprint

FOR_FIREFOX = "schoolgate-root.pem"  # in the folder where Firefox looks for certificates that a policy names


def contents(file: str, root: x509.Certificate) -> bytes:
    """The root's certificate in the form that the file's ending asks for; PEM where it says nothing."""
    match file.rpartition(".")[2].lower():
        case "cer" | "der":
            return certificate_der(root)
        case "mobileconfig":
            return _apple_profile(root)
        case "json":
            return _firefox_policies()
        case _:
            return certificate_pem(root)


def root_name(root: x509.Certificate) -> str:
    """As platforms show it in their lists."""
    return str(root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _apple_profile(root: x509.Certificate) -> bytes:
    """A configuration profile with the one certificate; the same root gives the same profile."""
    name, mark = root_name(root), fingerprint(root)
    identifier = f"schoolgate.root.{root_name(root).rpartition(' ')[2]}"
    certificate = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.certificate",
        "PayloadUUID": str(uuid5(NAMESPACE_OID, f"{mark} certificate")).upper(),
        "PayloadDisplayName": name,
        "PayloadCertificateFileName": "schoolgate-root.cer",
        "PayloadContent": certificate_der(root),
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid5(NAMESPACE_OID, mark)).upper(),
        "PayloadDisplayName": name,
        "PayloadDescription": "Lets this device show why the school's network refuses a site.",
        "PayloadContent": [certificate],
    }
    return plistlib.dumps(profile)


def _firefox_policies() -> bytes:
    certificates = {"ImportEnterpriseRoots": True, "Install": [FOR_FIREFOX]}
    return (json.dumps({"policies": {"Certificates": certificates}}, indent=2) + "\n").encode()
