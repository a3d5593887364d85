#!/bin/sh
# Installs the mail and database servers that the tests start (Debian and Ubuntu, as root); otherwise says what to do.
set -eu

# What a command says is worth reading only when it fails.
quietly() {
    said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
}

missing=""
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v dovecot >/dev/null || missing="dovecot-imapd dovecot-lmtpd"
[ -z "$missing" ] && [ ! -e /usr/lib/dovecot/lmtp ] && missing="dovecot-lmtpd"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v setpriv >/dev/null || missing="$missing util-linux"
command -v openssl >/dev/null || missing="$missing openssl"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $missing ..."
    apt-get update -qq >/dev/null 2>&1 || true # one source of others that fails is no reason to stop
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
else
    echo "the tests need servers that are not installed; run: sudo apt-get install $missing" >&2
    exit 1
fi
