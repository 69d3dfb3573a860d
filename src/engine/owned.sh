# What rempart made on this host, one line each: `kind:key TAB playbook TAB site TAB run`. A line is written when all is
# ready for the step that makes the thing, and before the step itself: whatever happens in between, nothing that was made is
# forgotten. A line about something that is not there means nothing.
RP_OWNED=/var/lib/rempart/owned

# rp_owned_edit IDS LINES: forgets ids and adds lines (each a line of its own); old or new as a whole, and on the disk.
rp_owned_edit() {
  set -- "$1" "$2" "$RP_OWNED"
  [ -e "$3" ] || set -- "$1" "$2" /dev/null
  rm -f -- "$RP_OWNED.new"
  RP_IDS=$1 RP_LINES=$2 awk -F '\t' '
    BEGIN {
      n = split(ENVIRON["RP_IDS"], ids, "\n"); for (i = 1; i <= n; i++) drop[ids[i]]
      n = split(ENVIRON["RP_LINES"], ids, "\n"); for (i = 1; i <= n; i++) { split(ids[i], part, "\t"); drop[part[1]] }
    }
    !($1 in drop)
    END { if (ENVIRON["RP_LINES"] != "") print ENVIRON["RP_LINES"] }' "$3" > "$RP_OWNED.new" || return 1
  sync -- "$RP_OWNED.new" && mv -T -- "$RP_OWNED.new" "$RP_OWNED" && sync -- "${RP_OWNED%/*}"
}

# rp_owned_gone IDS: what is known of these, as lines for `owned` in a before-image.
rp_owned_gone() {
  [ -e "$RP_OWNED" ] || return 0
  RP_IDS=$1 awk -F '\t' '
    BEGIN { n = split(ENVIRON["RP_IDS"], ids, "\n"); for (i = 1; i <= n; i++) known[ids[i]] }
    $1 in known { print "gone\t" $0 }' "$RP_OWNED"
}

# rp_owned_since ID: what rempart last did about it, and does not stand as it left it; nothing if no before-image tells.
rp_owned_since() {
  for rp_run in $(ls -t "$RP_HOME/runs" 2>/dev/null); do
    rp_found=
    for rp_image in "$RP_HOME/runs/$rp_run"/*.*; do
      [ -e "$rp_image/title" ] && [ -e "$rp_image/after" ] || continue
      rp_ids=$(head -n 1 -- "$rp_image/title"); rp_ids=", ${rp_ids%% | *}, "
      case "$rp_ids" in *", $1, "*) ;; *) continue ;; esac
      rp_found=1
      RP_SECRET=; [ ! -e "$rp_image/secret" ] || RP_SECRET=1
      rp_differs "$rp_image" after
    done
    [ -z "$rp_found" ] || return 0
  done
}

# rp_owned_back FILE: takes back what a step made and forgot; FILE holds `made TAB line` and `gone TAB line`.
rp_owned_back() {
  rp_owned_edit "$(sed -n 's/^made\t\([^\t]*\).*/\1/p' "$1")" "$(sed -n 's/^gone\t//p' "$1")"
}
