"""What the guides tell people to type does what they say."""

import os
import re
import subprocess

from proxy.ca.platforms import BY_PLATFORM
from tests.needs import require


def test_chromium_on_linux(tmp_path):
    """The command makes the user's database where Chromium never ran, and the root is in it."""
    require("certutil", "openssl")
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=A root", "-keyout", "key.pem")
    subprocess.run([*make, "-out", "root.pem"], cwd=tmp_path, check=True, capture_output=True)
    [told] = [step for step in BY_PLATFORM["linux"].steps if "certutil" in step]
    typed = re.search(r"mkdir .*{file}$", told)
    assert typed is not None
    here = {"cwd": tmp_path, "env": {**os.environ, "HOME": str(tmp_path)}, "capture_output": True}
    # without a password a new database asks for none: nobody is there to type one
    subprocess.run(["/bin/sh", "-c", typed[0].format(file="root.pem")], check=True, stdin=subprocess.DEVNULL, **here)
    listed = subprocess.run(["certutil", "-d", f"sql:{tmp_path}/.pki/nssdb", "-L"], check=True, **here)
    assert b"schoolgate" in listed.stdout
