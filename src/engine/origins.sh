# From which version of which file of a store each resource of this host got its secrets, one line each:
# `kind:key TAB file TAB generation TAB version`. The version tells two of the same generation apart; `-` = nobody knows it,
# `over` = the resource has no secret of this file any more. A checkout that was left behind must not write what was
# replaced since, nor one of two branches what the other wrote.
RP_ORIGINS=/var/lib/rempart/secret-origins

# rp_origins IDS LINES OLDER: fails where this host was given a newer version, unless OLDER is 1; notes the lines otherwise,
# and that other files of these resources are over; old or new as a whole, and on the disk. It comes before the step: what
# may have been written is newer than what is noted.
rp_origins() {
  if [ -z "$2" ]; then
    [ -e "$RP_ORIGINS" ] || return 0
    rp_found=0
    RP_IDS=$1 awk -F '\t' '
      BEGIN { n = split(ENVIRON["RP_IDS"], ids, "\n"); for (i = 1; i <= n; i++) written[ids[i]] }
      $1 in written && $4 != "over" { found = 1 }
      END { exit !found }' "$RP_ORIGINS" || rp_found=$?
    case $rp_found in 0) ;; 1) return 0 ;; *) return 1 ;; esac
  fi
  [ -e "$RP_ORIGINS" ] || ( umask 077; : > "$RP_ORIGINS" ) || return 1
  rm -f -- "$RP_ORIGINS.new"
  ( umask 077; RP_IDS=$1 RP_LINES=$2 RP_OLDER=$3 awk -F '\t' '
    # Numbers of any length: awk would count in doubles.
    function is_more(a, b) {
      sub(/^0+/, "", a); sub(/^0+/, "", b)
      return length(a) != length(b) ? length(a) > length(b) : a "" > b ""
    }
    function refuse(why, fix) {
      print why > "/dev/stderr"
      print fix "; if this version is meant, say --allow-older-secrets" > "/dev/stderr"
      bad = 1
    }
    BEGIN {
      older = ENVIRON["RP_OLDER"] == 1
      n = split(ENVIRON["RP_IDS"], lines, "\n")
      for (i = 1; i <= n; i++) written[lines[i]]
      n = split(ENVIRON["RP_LINES"], lines, "\n")
      for (i = 1; i <= n; i++) {
        split(lines[i], part, "\t")
        given[part[1] FS part[2]] = part[3]; version[part[1] FS part[2]] = part[4]
      }
    }
    NF < 3 || NF > 4 || $3 !~ /^[0-9]+$/ || (NF == 4 && $4 !~ /^([0-9a-f]+|-|over)$/) {
      if (older) next
      print FILENAME " on this host cannot be understood: line " NR > "/dev/stderr"
      print "mend that line or take it out; --allow-older-secrets takes it out, and what it said is forgotten" > "/dev/stderr"
      bad = 1; next
    }
    { which = $1 FS $2; known = NF == 4 ? $4 : "-" }
    !(which in given) { print which FS $3 FS ($1 in written ? "over" : known); next }
    older { next }
    is_more($3, given[which]) {
      refuse("an older secret: " $1 " was given generation " $3 " of " $2 ", and this is generation " given[which],
             "get the newest version of the store (git pull)")
      next
    }
    is_more(given[which], $3) { next }
    known == "over" {
      refuse("an older secret: " $1 " was given generation " $3 " of " $2 ", and secrets of elsewhere after that",
             "get the newest version of the playbooks and the store (git pull)")
      next
    }
    known != "-" && version[which] != "-" && known != version[which] {
      refuse("two versions of generation " $3 " of " $2 ": " $1 " was given " known ", and this is " version[which],
             "merge them and apply the newest")
    }
    END { for (which in given) print which FS given[which] FS version[which]; exit bad }' "$RP_ORIGINS" > "$RP_ORIGINS.new" ) \
    || { rm -f -- "$RP_ORIGINS.new"; return 1; }
  sync -- "$RP_ORIGINS.new" && mv -T -- "$RP_ORIGINS.new" "$RP_ORIGINS" && sync -- "${RP_ORIGINS%/*}"
}
