#!/bin/sh
# A second opinion on the demo's machines, from tools that share no code with rempart: nmap, systemd-analyze, curl's kind of
# requests, docker inspect, testinfra. The lab's network is the one thing that is borrowed: `rempart lab exec` goes into it.
set -eu
cd "$(dirname "$0")/.."
inventory=${1:-inventories/demo.yaml}
program=${DEMO_BIN:-${CARGO_TARGET_DIR:-target}/debug}/rempart
venv=${VERIFY_VENV:-$PWD/target/verify-venv}
[ "$(id -u)" = 0 ] || { echo "This looks into the lab's network, which needs root." >&2; exit 1; }
if ! "$venv/bin/python" -c 'import pytest, testinfra' 2>/dev/null; then
  echo "Installing pytest and testinfra into $venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/verify/requirements.txt
fi
case $program in /*) ;; *) program=$PWD/$program ;; esac
export REMPART_PROGRAM="$program"
exec "$program" lab exec -i "$inventory" -- tests/verify/verify.sh "$venv/bin/python"
