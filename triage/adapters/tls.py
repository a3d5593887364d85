"""TLS for the mailbox and the mailer: one way to make a context, one way to say why a handshake failed."""

from __future__ import annotations

import ssl
from pathlib import Path

from triage.core.errors import ConfigError


def context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A verifying client context. With `ca_file`, only what is in that file is trusted."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: no usable CA certificates in this file ({error}); name a PEM file") from error


def reason(error: BaseException | None) -> str | None:
    """What to mend when `error`, or what caused it, is a failed handshake; None when TLS is not the trouble."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message}): renew it, or set ca_file to its issuer"
        if isinstance(error, ssl.SSLError):
            return f"no TLS session ({error.reason or error}): does tls fit the port?"
        error = error.__cause__ or error.__context__
    return None
