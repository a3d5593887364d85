#!/bin/sh
# Makes the virtual environment; where Python's venv module is missing it is installed (Debian, as root), or it says what to do.
set -eu

# What a command says is worth reading only when it fails.
quietly() {
    said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
}

python=$1
venv=$2
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python3-venv ..."
        apt-get update -qq >/dev/null 2>&1 || true # one source of others that fails is no reason to stop
        quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
    else
        echo "Python's venv module is missing; run: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
