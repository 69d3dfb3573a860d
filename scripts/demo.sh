#!/bin/sh
# The demo: a small fleet of real machines on this computer, taken from bare Debian to what playbooks/site.yaml says, tampered
# with, found out, and mended. `make demo` calls it. DEMO_DOWN=1 (or CI) throws the machines away at the end.
set -eu
cd "$(dirname "$0")/.."

bold=''; dim=''; red=''; green=''; plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$(printf '\033[1m'); dim=$(printf '\033[2m'); red=$(printf '\033[31m'); green=$(printf '\033[32m')
  plain=$(printf '\033[0m')
fi
started=$(date +%s)
step=0
tell() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
stop() { printf '%sThe demo failed: %s%s\n' "$red" "$1" "$plain" >&2; exit 1; }

# expect CODE COMMAND...: prints the command as one would type it, runs it, and insists on how it ends.
expect() {
  wanted=$1; shift
  line=''
  for word; do
    case $word in *[!A-Za-z0-9_./:=,@%+-]*) line="$line '$word'" ;; *) line="$line $word" ;; esac
  done
  printf '%s$%s%s\n' "$bold" "$line" "$plain"
  began=$(date +%s); code=0
  if [ -n "${keep:-}" ]; then "$@" ${colour:-} > "$keep" || code=$?; cat "$keep"; else "$@" || code=$?; fi
  printf '%s# exit code %s, %s s%s\n' "$dim" "$code" "$(($(date +%s) - began))" "$plain"
  step=$((step + 1))
  [ "$code" = "$wanted" ] || stop "\`${line# }\` ended with $code, and should have ended with $wanted"
}

# What must be there.
[ "$(id -u)" = 0 ] || stop "it makes real machines (namespaces, mounts), which needs root: sudo -E make demo"
if [ -n "${DEMO_BIN:-}" ]; then
  # Tests bring the program along.
  PATH=$DEMO_BIN:$PATH
else
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  command -v cargo >/dev/null \
    || stop "there is no cargo. Rust 1.89 or newer comes with rustup: https://rustup.rs (Debian's own is older)"
  version=$(rustc --version | sed 's/^rustc 1\.\([0-9]*\).*/\1/')
  [ "$version" -ge 89 ] 2>/dev/null || stop "$(rustc --version) is too old: 1.89 or newer is needed; try: rustup update stable"
  scripts/packages.sh
  tell "Build (some minutes the first time)"
  expect 0 cargo build --locked --quiet
  built=${CARGO_TARGET_DIR:-target}
  case $built in /*) ;; *) built=$PWD/$built ;; esac
  PATH=$built/debug:$PATH
fi
export PATH
# So that `-i inventories/demo.yaml` need not be said each time.
REMPART_INVENTORY=inventories/demo.yaml
export REMPART_INVENTORY
printf '%s$%s export REMPART_INVENTORY=%s\n' "$bold" "$plain" "$REMPART_INVENTORY"

tell "What the lab serves in the place of downloads: a stand-in for Ollama"
expect 0 lab/make-files.sh

tell "Three bare machines: a workstation, a server, a proxy"
rempart lab down >/dev/null 2>&1 || :
expect 0 rempart lab up
throw_away() {
  code=$?
  if [ -n "${DEMO_DOWN:-}${CI:-}" ]; then rempart lab down || :
  elif [ "$code" != 0 ]; then
    echo "The machines are still there, for a look:  rempart lab exec -i inventories/demo.yaml --host server1 -- bash" >&2
  fi
  exit "$code"
}
trap throw_away EXIT
expect 0 rempart inventory

tell "What would be done? (nothing is changed)"
expect 2 rempart lab exec -- rempart plan playbooks/site.yaml --detailed-exitcode

tell "Do it: five phases on three machines; the server waits for the proxy, production for the tests"
expect 0 rempart lab exec -- rempart apply playbooks/site.yaml --yes

tell "Again: nothing is left to do"
expect 0 rempart lab exec -- rempart plan playbooks/site.yaml --detailed-exitcode

tell "Somebody changes things by hand on the server: Ollama for everybody"
expect 0 rempart lab exec --host server1 -- sh -c "sed -i s/OLLAMA_HOST=127.0.0.1/OLLAMA_HOST=0.0.0.0/ /etc/systemd/system/ollama.service \
&& systemctl daemon-reload && systemctl restart ollama && ufw allow 11434/tcp && chmod o+rwx /srv/ollama/models"

tell "Drift: who, what, and how it differs"
keep=$(mktemp)
[ -z "$bold" ] || colour='--color always'
expect 2 rempart lab exec -- rempart drift playbooks/site.yaml
for word in server1 ollama.service 0.0.0.0 'deny 11434/tcp' /srv/ollama/models; do
  grep -q -- "$word" "$keep" || stop "drift does not name $word"
done
rm -f "$keep"; keep=''

tell "Mend it"
expect 0 rempart lab exec -- rempart apply playbooks/site.yaml --yes
expect 0 rempart lab exec -- rempart drift playbooks/site.yaml

tell "${green}Done${plain}${bold} in $(($(date +%s) - started)) s: $step commands, each ended as it should"
cat <<END
Three machines went from bare Debian to the playbooks' word: a firewall each, one way out through an allow-list, Ollama (a
stand-in) on loopback in a hardened unit and in a container without a network, SSH by key only, and an hourly check.
A second plan was empty; a change behind rempart's back was found on the right machine, and mended.

Next:
  export PATH=$PWD/target/debug:\$PATH REMPART_INVENTORY=$REMPART_INVENTORY
  make verify                                            what nmap, curl, docker and testinfra say; no line of rempart's in it
  rempart lab exec --host server1 -- bash                look around, break something
  rempart lab exec -- rempart drift playbooks/site.yaml  and see whether it is found
  rempart lab exec -- rempart plan playbooks/ollama-server.yaml --phase hardening --all
  rempart graph playbooks/site.yaml --format mermaid
  rempart kinds docker_container                         what an item can say
END
[ -n "${DEMO_DOWN:-}${CI:-}" ] || echo "  rempart lab down                                       throw the machines away"
