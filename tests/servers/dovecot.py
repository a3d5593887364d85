"""A Dovecot of its own: IMAP in clear, with STARTTLS and with TLS, and LMTP to deliver through."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.servers import certificates, daemon

PASSWORD = "secret"

# Dovecot 2.4 renamed much of what 2.3 understands; the rest is alike. The versions must come first.
V23 = """
protocols = imap lmtp
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_username_format = %Ln
mail_location = maildir:{dir}/mail/%n
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home/%n allow_all_users=yes
}}
"""

V24 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  imap = yes
  lmtp = yes
}}
ssl_server_cert_file = {dir}/cert.pem
ssl_server_key_file = {dir}/key.pem
auth_allow_cleartext = yes
auth_username_format = %{{user | username | lower}}
mail_driver = maildir
mail_path = {dir}/mail/%{{user | username}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {dir}/home/%{{user | username}}
  }}
  static_allow_all_users = yes
}}
"""

COMMON = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
listen = 127.0.0.1
ssl = yes
auth_mechanisms = plain login
auth_failure_delay = 0
auth_cache_size = 1M
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {gid}
mail_fsync = never
mail_max_userip_connections = 100
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""


def installed() -> tuple[Path, str]:
    """The program, and the configuration that its version understands."""
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise daemon.Missing("Dovecot is missing: apt-get install dovecot-imapd dovecot-lmtpd")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30).stdout.split(" ")[0]
    for known, config in (("2.3.", V23), ("2.4.", V24)):
        if version.startswith(known):
            return Path(found), config + COMMON
    raise daemon.Missing(f"Dovecot {version} is installed; the tests know how to configure 2.3 and 2.4")


class Dovecot:
    """A running server. Any user name logs in with `PASSWORD`; its mailbox is made at first use."""

    host = "localhost"

    def __init__(self) -> None:
        program, config = installed()
        self.dir = daemon.directory("dove")
        self.imap, self.imaps, self.lmtp = daemon.free_port(), daemon.free_port(), daemon.free_port()
        self.certificate, _ = certificates.make(self.dir)
        self.log = self.dir / "dovecot.log"
        uid, gid = (daemon.NOBODY, daemon.NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        for name in ("run", "state", "mail", "home"):
            (self.dir / name).mkdir()
            os.chown(self.dir / name, uid, gid)
        self._config = self.dir / "dovecot.conf"
        self._config.write_text(
            config.format(
                dir=self.dir,
                user=subprocess.check_output(["id", "-un", str(uid)], text=True).strip(),
                group=subprocess.check_output(["stat", "-c", "%G", str(self.dir)], text=True).strip(),
                uid=uid,
                gid=gid,
                imap=self.imap,
                imaps=self.imaps,
                lmtp=self.lmtp,
                password=PASSWORD,
            )
        )
        self._process = subprocess.Popen(
            daemon.unprivileged([program, "-F", "-c", self._config], dies_with_us=True),
            stdout=subprocess.DEVNULL,
            stderr=(self.dir / "stderr").open("wb"),
            cwd="/",
        )
        try:
            daemon.until(
                lambda: all(map(daemon.listening, (self.imap, self.imaps, self.lmtp))), self._process, self.log
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        daemon.end(self._process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def deliver(self, user: str, *mails: bytes) -> None:
        """Delivers through LMTP, as a mail server in front would."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as lmtp:
            for mail in mails:
                refused = lmtp.sendmail("sender@example.com", [f"{user}@example.com"], mail)
                assert not refused, refused

    def doveadm(self, *words: str, stdin: bytes = b"") -> str:
        """Runs doveadm: what a person with another mail program does to the mailbox."""
        command = daemon.unprivileged(["doveadm", "-c", self._config, *words])
        return subprocess.run(command, input=stdin, capture_output=True, check=True, cwd="/").stdout.decode()

    def save(self, user: str, folder: str, mails: Iterable[bytes]) -> None:
        """Puts mail into a folder without LMTP."""
        for mail in mails:
            self.doveadm("save", "-u", user, "-m", folder, stdin=mail)

    def kick(self, user: str) -> None:
        """Ends the sessions of a user."""
        self.doveadm("kick", user)
