# Files that are read after ours, and /etc/apt/apt.conf, which is the last.
rp_later() {
  for rp_f in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
    [ -f "$rp_f" ] || continue
    case $rp_f in /etc/apt/apt.conf) ;; *) [ "$(printf '%s\n' "${rp_f##*/}" 99rempart-unattended-upgrades | sort | head -n 1)" != "${rp_f##*/}" ] || continue ;; esac
    ! grep -q -i -E '^[^/#]*(Unattended-Upgrade|APT::Periodic)' "$rp_f" || rp_fail "$rp_f is read later, and sets something else; take that out there"
  done
}
rp_valid() { APT_CONFIG="$1" apt-config dump >/dev/null; }
