# apt's own wait covers dpkg's locks only [tried]: not the lists', the archives', nor `dpkg --configure`'s.
# The policy lets itself go once the shell that wrote it is gone, so that a power cut cannot leave daemons stopped.
umask 022
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l
export APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
rp_policy=/usr/sbin/policy-rc.d rp_own='' rp_held='' rp_d=$(mktemp -d /run/rempart-apt.XXXXXX)
rp_end() {
  [ -z "$rp_own" ] || rm -f "$rp_policy"
  [ ! -s "$rp_d/denied" ] || echo "not started, that is for systemd_unit: $(sort -u "$rp_d/denied" | tr '\n' ' ')"
  rm -rf -- "$rp_d"
}
trap rp_end EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
systemctl list-units --state=active,activating,reloading --plain --no-legend --no-pager 2>/dev/null |
  cut -d' ' -f1 >"$rp_d/running"
if [ ! -e "$rp_policy" ] || grep -q '^# rempart: temporary' "$rp_policy"; then
  rp_own=1
  printf '%s\n' '#!/bin/sh' '# rempart: temporary, no daemon starts before its configuration' \
    "[ \"\$(cut -d' ' -f22 /proc/$$/stat 2>/dev/null)\" = '$(cut -d' ' -f22 "/proc/$$/stat")' ] || exit 0" \
    'while :; do case ${1-} in --*) shift ;; *) break ;; esac; done' \
    'case ${2-} in stop | force-stop) exit 0 ;; esac' \
    "grep -q -x -F -e \"\${1-}\" -e \"\${1-}.service\" '$rp_d/running' && exit 0" \
    'case ${1-} in *.*) ;; *) set -- "${1-}.service" ;; esac' \
    "printf '%s\n' \"\$1\" >>'$rp_d/denied'" 'exit 101' >"$rp_policy"
  chmod 0755 "$rp_policy"
fi
rp_patience=${RP_LOCK_PATIENCE:-120}
rp_run() {
  rp_until=$(($(date +%s) + rp_patience))
  while :; do
    rp_status=0
    "$@" >"$rp_d/log" 2>&1 || rp_status=$?
    [ "$rp_status" -ne 0 ] || return 0
    rp_lock=$(grep -h -e 'Could not get lock' -e 'lock was locked by' "$rp_d/log" | tail -n 1)
    [ -n "$rp_lock" ] || return "$rp_status"
    if [ "$(date +%s)" -ge "$rp_until" ]; then
      echo "another program held the package lock for over $rp_patience s: $rp_lock" >&2
      rp_pid=$(printf '%s' "$rp_lock" | sed -n 's/.*\(process\|pid\) \([0-9]*\).*/\2/p')
      echo "process $rp_pid is: $(tr '\0' ' ' 2>/dev/null <"/proc/$rp_pid/cmdline" || echo gone)" >&2
      rp_held=1
      return 100
    fi
    sleep 2
  done
}
rp_fail() { [ -z "$rp_held" ] || exit 1; grep -e '^E: ' -e '^dpkg: ' -e '^W: ' "$rp_d/log" >&2 || :; tail -n 15 "$rp_d/log" >&2; exit 1; }
rp_get() {
  rp_run apt-get -q -y -o DPkg::Lock::Timeout="$rp_patience" -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold -o APT::Install-Recommends="$rp_recommends" "$@"
}
rp_lacking() {
  rp_have=" $(apt-cache policy -- $rp_names 2>/dev/null | sed -n -e '/^[^ ]/{s/:$//;s/:[^:]*$//;h;}' \
    -e '/^  Candidate: [^(]/{g;p;}' | tr '\n' ' ')"
  for rp_item in $rp_install; do
    rp_name=${rp_item%%=*}
    case "$rp_have" in *" ${rp_name%%:*} "*) ;; *) printf ' %s' "$rp_name"; continue ;; esac
    case "$rp_item" in *=*) apt-cache show -- "$rp_item" >/dev/null 2>&1 || printf ' %s' "$rp_item" ;; esac
  done
}
# What apt is about to change, on the disk before it does: should it be broken off, that is what is put back.
rp_announce() {
  sed -n -e 's/^Inst \([^ ]*\) \[.*/other \1/p' -e 's/^Inst \([^ ]*\) (.*/new \1/p' -e 's/^Remv \([^ ]*\).*/other \1/p' \
    "$rp_d/log" | while read -r rp_how rp_name; do
    # Configuration that an earlier installation left is somebody's.
    case $(dpkg-query -W -f '${db:Status-Status}' -- "$rp_name" 2>/dev/null) in
      '' | not-installed) ;;
      *) rp_how=other ;;
    esac
    echo "$rp_how $rp_name"
  done >>"$RP_IMAGE/coming"
  sync -- "$RP_IMAGE/coming" "$RP_IMAGE"
}
rp_fix=''
if [ -n "$(dpkg --audit 2>&1)" ] || [ -n "$(ls /var/lib/dpkg/updates)" ]; then
  rp_fix=-f
  rp_run dpkg --force-confdef --force-confold --configure -a || [ -n "$rp_install$rp_remove" ] || rp_fail
fi
rp_relist() { rp_lists_lost && rp_run rp_lists_anew; }
if [ -n "$rp_install" ]; then
  # On a full disk apt fetches its lists for ever [seen: its helpers wait for one another], and dpkg stops half way.
  for rp_place in /var/lib/apt/lists /var/cache/apt /var/lib/dpkg; do
    rp_free=$(df -Pk -- "$rp_place" | awk 'NR == 2 { print $4 }')
    [ "$rp_free" -ge 32768 ] || { echo "only $rp_free KiB are free in $rp_place; apt needs 32768 KiB to begin" >&2; exit 1; }
  done
  rp_names=$(printf '%s\n' $rp_install | sed 's/=.*//')
  if [ -n "$(rp_lacking)" ] || [ -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin +1440)" ]; then
    rp_get update || [ -z "$(rp_lacking)" ] || rp_relist || rp_fail
    touch /var/lib/apt/lists
  fi
  rp_gone=$(rp_lacking)
  [ -z "$rp_gone" ] || ! rp_relist || rp_gone=$(rp_lacking)
  if [ -n "$rp_gone" ]; then
    echo "this host's package lists do not have:$rp_gone (a virtual name must be replaced by a real package)" >&2
    exit 1
  fi
fi
for rp_item in $rp_hold $rp_unhold; do echo "other $rp_item"; done >"$RP_IMAGE/coming"
if [ -n "$rp_install$rp_remove" ]; then
  set -- $rp_flags $rp_fix install -- $rp_install
  for rp_item in $rp_remove; do set -- "$@" "$rp_item-"; done
  rp_get -s "$@" || { rp_relist && rp_get -s "$@"; } || rp_fail
  for rp_item in $(sed -n 's/^Remv \([^ :]*\).*/\1/p' "$rp_d/log"); do
    case " $rp_remove " in
      *" $rp_item "* | *" $rp_item:"*) ;;
      *) echo "this would also remove $rp_item; declare that with state: absent, or change what needs it" >&2; exit 1 ;;
    esac
  done
  rp_announce
  rp_get "$@" || rp_fail
  grep -e '^Setting up ' -e '^Removing ' "$rp_d/log" || :
fi
[ -z "$rp_hold" ] || rp_run apt-mark hold -- $rp_hold || rp_fail
[ -z "$rp_unhold" ] || rp_run apt-mark unhold -- $rp_unhold || rp_fail
