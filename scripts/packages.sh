#!/bin/bash
# Looks for what building and the lab need. As root it installs what is missing; otherwise it says what and goes on if
# the build can do without.
set -euo pipefail

# Without these nothing is built.
build=(build-essential libssl-dev pkg-config zlib1g-dev)
# Without these there are no real hosts, or no second opinion on them.
lab=(debootstrap systemd-container iproute2 util-linux e2fsprogs nftables openssh-client openssh-server nmap perl python3-venv)
# Without these, completions, manual pages, filters of examples, the scanner's hook, and other people's programs on files of
# the store are not tried.
others=(zsh fish groff man-db jq git age python3-pip)

if ! command -v dpkg-query >/dev/null; then
  echo "This is no Debian: install by hand what corresponds to: ${build[*]} ${lab[*]} ${others[*]}" >&2
  exit 0
fi

missing() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || echo "$package"
  done
}

if ! command -v "${CARGO:-cargo}" >/dev/null; then
  echo "Rust is missing: rempart needs 1.89 or newer, which https://rustup.rs installs." >&2
  exit 1
fi

mapfile -t need_build < <(missing "${build[@]}")
mapfile -t need_lab < <(missing "${lab[@]}")
mapfile -t need_others < <(missing "${others[@]}")
need=("${need_build[@]}" "${need_lab[@]}" "${need_others[@]}")
[ "${#need[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
  echo "Installing: ${need[*]}"
  export DEBIAN_FRONTEND=noninteractive
  had_sshd=$(missing openssh-server)
  # One update for all: on a fresh machine there are no lists yet.
  apt-get update -q
  # The machine's own daemons are not wanted, only their programs; a policy of somebody else is left alone.
  policy=
  if [ -n "$had_sshd" ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get install -q -y --no-install-recommends "${need[@]}" </dev/null
  exit 0
fi

echo "Missing packages. To have them: sudo apt-get install ${need[*]}" >&2
if [ "${#need_build[@]}" -gt 0 ]; then
  exit 1
fi
echo "Going on without: tests on real hosts or in other shells are skipped, and say so." >&2
