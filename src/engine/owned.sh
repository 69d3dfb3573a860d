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

# rp_owned_back FILE: takes back what a step made and forgot; FILE holds `made TAB line` and `gone TAB line`.
rp_owned_back() {
  rp_owned_edit "$(sed -n 's/^made\t\([^\t]*\).*/\1/p' "$1")" "$(sed -n 's/^gone\t//p' "$1")"
}
