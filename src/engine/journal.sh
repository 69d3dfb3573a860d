# The target's journal: what is about to happen and what became of it, one line each, every line sealed with the hash of
# the one before it, and on the disk before anything else goes on. docs/history.md describes the format.
RP_HOME=/var/lib/rempart
RP_TAB=$(printf '\t')

# rp_journal RUN BATCH WORD STEP [TEXT]: appends one line. Whoever gets an error back must change nothing.
rp_journal() {
  (
    exec 8>> "$RP_HOME/journal.lock" && flock 8 || exit 1
    rp_j=$RP_HOME/journal
    if [ ! -e "$rp_j" ]; then : >> "$rp_j" && sync -- "$RP_HOME" || exit 1; fi
    rp_seal "$@"
  )
}

rp_seal() {
  # The `x` keeps the newline at the end, if there is one.
  rp_last=$(tail -n 1 -- "$rp_j" | tr -d '\000'; printf x)
  case $rp_last in
    x) rp_hash=0000000000000000000000000000000000000000000000000000000000000000; rp_seq=0 ;;
    ????????????????????????????????????????????????????????????????"$RP_TAB"[1-9]*"
x") rp_hash=${rp_last%%"$RP_TAB"*}; rp_seq=${rp_last#*"$RP_TAB"}; rp_seq=${rp_seq%%"$RP_TAB"*} ;;
    *) rp_torn "$1" "$2" && rp_seal "$@"; return ;;
  esac
  rp_rest="$((rp_seq + 1))$RP_TAB$(date +%s)$RP_TAB$1$RP_TAB$2$RP_TAB$3$RP_TAB$4$RP_TAB${5:-}"
  rp_hash=$(printf '%s\t%s' "$rp_hash" "$rp_rest" | sha256sum) || return 1
  # tee, since it says why it cannot write; the shell's own printf does not.
  printf '%s\t%s\n' "${rp_hash%% *}" "$rp_rest" | tee -a -- "$rp_j" > /dev/null && sync -- "$rp_j"
}

# A crash left half of a line. It was not on the disk as a whole, so what it announced was never begun; it is cut off, and
# that is written down, too.
rp_torn() {
  rp_bytes=$(tail -n 1 -- "$rp_j" | wc -c) || return 1
  rp_sum=$(tail -n 1 -- "$rp_j" | sha256sum) || return 1
  truncate -s "-$rp_bytes" -- "$rp_j" && sync -- "$rp_j" || return 1
  rp_seal "$1" "$2" torn - "$rp_bytes ${rp_sum%% *}"
}
