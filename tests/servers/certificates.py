"""A self-signed certificate for localhost, as PEM files."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

from tests.servers.daemon import Missing, run


def make(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) in `folder`; the certificate is its own CA."""
    if shutil.which("openssl") is None:
        raise Missing("openssl is missing: apt-get install openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    run(["openssl", *options.split(), *names, "-keyout", key, "-out", certificate])
    key.chmod(0o644)  # for the server's user; it is worth nothing
    return certificate, key


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
