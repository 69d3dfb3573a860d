# Debian packages as a part of what a step touches: how they are put back, and what a broken apt leaves behind. In a folder of
# the journal `packages` says which were installed before, `etc` which files /etc had, `moved` what the step changed (as comm
# prints it: plain = before, after a tab = since), and `coming` what apt was about to change: `new NAME` or `other NAME`.

# rp_packages_stand MOVED INDENT: whether the packages in MOVED stand as its lines with this indent say, and as none else.
rp_packages_stand() {
  [ -s "$1" ] || return 0
  dpkg-query -W -f='${db:Status-Abbrev}${binary:Package} ${Version}\n' | grep '^[a-z]i ' | awk -v tab="$2" '
    FNR == NR { indent = ($0 ~ /^\t/) ? "\t" : ""; line = $0; sub(/^\t/, "", line); split(line, part, " "); name[part[2]]
                if (indent == tab) want[line]; next }
    { if ($2 in name) { if ($0 in want) delete want[$0]; else bad = 1 } }
    END { for (line in want) bad = 1; exit bad }' "$1" -
}

# rp_lists_lost: whether a list of apt's is empty, as after a power loss. It refuses all work then, or does not know what it
# knew, and never fetches anew what it has. A source may be empty by nature: ask only where something is lacking.
rp_lists_lost() { [ -n "$(find /var/lib/apt/lists -maxdepth 1 -type f -size 0 ! -name lock)" ]; }

rp_lists_anew() {
  find /var/lib/apt/lists -type f ! -name lock -delete
  apt-get -q -o DPkg::Lock::Timeout="${RP_LOCK_PATIENCE:-120}" update
}

# rp_back_packages MOVED: what came goes, what went comes, as one run of apt that takes nothing else along.
rp_back_packages() {
  rp_go=$(awk '/^\t/ { name[$2] } !/^\t/ { was[$2] } END { for (n in name) if (!(n in was)) printf "%s- ", n }' "$1")
  rp_come=$(awk '!/^\t/ { printf "%s=%s ", $2, $3 }' "$1")
  [ -n "$rp_go$rp_come" ] || return 0
  set -- "$1" -y -q -o DPkg::Lock::Timeout="${RP_LOCK_PATIENCE:-120}" -o Dpkg::Options::=--force-confold \
    --no-install-recommends --allow-downgrades --allow-change-held-packages
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
  # What dpkg has only half of is not configured before it was unpacked again.
  [ -z "$rp_come" ] || ! dpkg-query -W -f='${db:Status-Eflag} ${db:Status-Status}\n' -- $(awk '!/^\t/ { print $2 }' "$1") |
    grep -q -e '^reinstreq' -e ' half-installed$' || set -- "$@" --reinstall
  rp_log=$1; shift
  rp_said=$(apt-get -s "$@" install $rp_come $rp_go) ||
    { rp_lists_lost && rp_lists_anew && rp_said=$(apt-get -s "$@" install $rp_come $rp_go); } || return 1
  for rp_name in $(printf '%s\n' "$rp_said" | awk '/^Remv / { print $2 }'); do
    case " $rp_go" in *" $rp_name- "* | *" $rp_name:"*) ;; *) echo "$rp_name needs what would go" >&2; return 1 ;; esac
  done
  apt-get "$@" install $rp_come $rp_go || return 1
  awk '!/^\t/ { print ($1 == "hi" ? "hold" : "install"), $2 }' "$rp_log" | while read -r rp_hold rp_name; do
    if [ "$rp_hold" = hold ]; then apt-mark hold -- "$rp_name"; else apt-mark unhold -- "$rp_name"; fi >/dev/null || exit 1
  done
}

# rp_back_broken_packages FOLDER broken|mend: apt was broken off, and dpkg may be in the middle of anything. What apt was about
# to bring goes with all that it made, since what its scripts wrote may be empty; the rest is written down as moved.
rp_back_broken_packages() {
  export DEBIAN_FRONTEND=noninteractive
  [ -s "$1/coming" ] || { : > "$1/moved"; return; }
  dpkg --force-confdef --force-confold --configure -a </dev/null >/dev/null 2>&1 || :
  rp_emptied "$1" > "$1/emptied" || return 1
  rp_known=$(rp_came "$1") || return 1
  [ -z "$rp_known" ] || rp_purge $rp_known || return 1
  while IFS= read -r rp_file; do
    [ -s "$rp_file" ] || [ ! -f "$rp_file" ] || dpkg-query -S -- "$rp_file" >/dev/null 2>&1 || rm -f -- "$rp_file"
  done < "$1/emptied"
  # The other ones may have no old version any more in a mirror, and the next run needs the new one.
  [ "$2" != mend ] || { : > "$1/moved"; return; }
  dpkg-query -W -f='${db:Status-Abbrev}${binary:Package} ${Version}\n' | grep '^[a-z]i ' | sort | comm -3 "$1/packages" - |
    awk 'FNR == NR { sub(/:.*/, "", $2); name[$2]; next } { of = $2; sub(/:.*/, "", of) } of in name' "$1/coming" - > "$1/moved.tmp" &&
    mv -T -- "$1/moved.tmp" "$1/moved"
}

# rp_came FOLDER: what apt was about to bring and dpkg knows by now, by its full name. What was installed before is never among
# it, whatever `coming` says.
rp_came() {
  rp_native=$(dpkg --print-architecture) || return 1
  rp_all=$(dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n') || return 1
  printf '%s\n' "$rp_all" | awk -v native=":$rp_native" -v coming="$1/coming" -v before="$1/packages" '
    FILENAME == coming { if ($1 == "new" && $2 != "") new[$2]; next }
    FILENAME == before { there[$2]; next }
    $1 != "not-installed" {
      name = $2; at = length(name) - length(native)
      if (at > 0 && substr(name, at + 1) == native) name = substr(name, 1, at)
      if ((name in new) && !($2 in there)) print $2
    }' "$1/coming" "$1/packages" -
}

# rp_emptied FOLDER: files of /etc that came since, and that were empty when the machine booted. Power that goes right after
# apt takes what packages' scripts wrote, and conffiles as well, while dpkg calls the packages installed.
rp_emptied() {
  [ -e "$1/coming" ] || return 0
  rp_ticks=$(getconf CLK_TCK) && rp_boot=$(awk -v ticks="$rp_ticks" 'FNR == NR { if ($1 == "btime") at = $2; next }
    { sub(/.*[)] /, ""); print int(at + $20 / ticks) }' /proc/stat /proc/1/stat) || return 1
  rp_empty=$(find /etc -xdev -type f -size 0 -cnewer "$1/before" ! -newerct "@$rp_boot") || return 1
  [ -z "$rp_empty" ] || printf '%s\n' "$rp_empty" | awk 'FNR == NR { was[$0]; next } !($0 in was)' "$1/etc" -
}

rp_purge() {
  rp_until=$(($(date +%s) + ${RP_LOCK_PATIENCE:-120}))
  while ! rp_said=$(dpkg --purge --force-remove-reinstreq -- "$@" 2>&1 </dev/null); do
    case $rp_said in *" lock "*) [ "$(date +%s)" -ge "$rp_until" ] || { sleep 2; continue; } ;; esac
    printf '%s\n' "$rp_said" >&2
    return 1
  done
}
