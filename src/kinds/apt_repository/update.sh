# rp_update FILE NAME: whether apt can read the repository that FILE declares, together with all others, and fetches its lists.
rp_update() {
  rp_d=$(mktemp -d /run/rempart-apt.XXXXXX)
  rp_status=0
  # In a subshell, so that its folder goes however it ends.
  ( rp_fetch_lists "$@" ) || rp_status=$?
  rm -rf -- "$rp_d"
  return "$rp_status"
}

rp_fetch_lists() {
  # Two entries that contradict each other would leave apt without any.
  for rp_other in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$rp_other" ] || [ "${rp_other##*/}" = "$2.sources" ] || cp -- "$rp_other" "$rp_d/" || return 1
  done
  cp -- "$1" "$rp_d/$2.sources" || return 1
  apt-get indextargets -o "Dir::Etc::sourceparts=$rp_d" >/dev/null || return 1
  rp_until=$(($(date +%s) + ${RP_LOCK_PATIENCE:-120}))
  while :; do
    if apt-get update -q -o "Dir::Etc::sourcelist=$rp_d/$2.sources" -o Dir::Etc::sourceparts=/dev/null \
      -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any >"$rp_d/log" 2>&1; then return 0; fi
    if ! grep -q 'Could not get lock' "$rp_d/log" || [ "$(date +%s)" -ge "$rp_until" ]; then
      grep -e '^E: ' -e '^W: ' "$rp_d/log" >&2 || cat "$rp_d/log" >&2
      return 1
    fi
    sleep 2
  done
}
