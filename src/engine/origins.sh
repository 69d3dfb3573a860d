# From which version of which file of a store each resource of this host got its secrets, one line each:
# `kind:key TAB file TAB generation`. A checkout that was left behind must not write what was replaced since.
RP_ORIGINS=/var/lib/rempart/secret-origins

# rp_origins LINES OLDER: fails where this host was given a newer version, unless OLDER is 1; notes the lines otherwise, old or
# new as a whole, and on the disk. It comes before the step: what may have been written is newer than what is noted.
rp_origins() {
  [ -e "$RP_ORIGINS" ] || ( umask 077; : > "$RP_ORIGINS" ) || return 1
  rm -f -- "$RP_ORIGINS.new"
  ( umask 077; RP_LINES=$1 RP_OLDER=$2 awk -F '\t' '
    BEGIN {
      n = split(ENVIRON["RP_LINES"], lines, "\n")
      for (i = 1; i <= n; i++) { split(lines[i], part, "\t"); given[part[1] FS part[2]] = part[3] }
    }
    NF != 3 || $3 !~ /^[0-9]+$/ { print FILENAME " cannot be understood: line " NR > "/dev/stderr"; bad = 1; next }
    !(($1 FS $2) in given) { print; next }
    $3 + 0 > given[$1 FS $2] + 0 && ENVIRON["RP_OLDER"] != 1 {
      printf "an older secret: %s was given generation %s of %s, and this is generation %s\n", $1, $3, $2, given[$1 FS $2] > "/dev/stderr"
      print "get the newest version of the store (git pull); if the older one is meant, say --allow-older-secrets" > "/dev/stderr"
      bad = 1
    }
    END { for (which in given) print which FS given[which]; exit bad }' "$RP_ORIGINS" > "$RP_ORIGINS.new" ) \
    || { rm -f -- "$RP_ORIGINS.new"; return 1; }
  sync -- "$RP_ORIGINS.new" && mv -T -- "$RP_ORIGINS.new" "$RP_ORIGINS" && sync -- "${RP_ORIGINS%/*}"
}
