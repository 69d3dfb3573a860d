# Runs the steps of a batch, one process each, and writes what happens: one line an event, `> ` before a line that a
# failed step printed. It goes to the run's log, which stays, and to the batch's own, which the controller follows.
# Titles hold no secrets.
rp_say() {
  printf '%s\n' "$*" >> "$RP_LOG"
  printf '%s\n' "$*" >> "$RP_FOLLOWED"
}

rp_stale() {
  printf 'changed since it was read (%s)\n  read: %s\n  now:  %s\n' "$1" "$2" "$3" >&2
  exit 75
}

# Nobody follows any more, or the user asked to stop: the next step does not begin.
rp_held() {
  [ -e "$RP_DIR/stop" ] && { echo 'the user stopped the run'; return 0; }
  [ $(($(date +%s) - $(stat -c %Y "$RP_DIR/alive"))) -lt "$RP_ORPHAN" ] && return 1
  echo "nobody has followed this run for $RP_ORPHAN s"
}

# rp_step NUMBER REQUIRED TIMEOUT RISKY TITLE
rp_step() {
  for rp_required in $2; do
    case " $rp_failed " in *" $rp_required "*)
      rp_failed="$rp_failed $1"; rp_say "skip $1 $rp_required"; return ;;
    esac
  done
  [ -n "$rp_hold" ] || rp_hold=$(rp_held) || rp_hold=
  if [ -n "$rp_hold" ]; then rp_failed="$rp_failed $1"; rp_say "hold $1 $rp_hold"; return; fi
  rp_out="$RP_DIR/$RP_BATCH.$1.out"
  rp_status=0
  if [ "$4" = 1 ] && [ -z "$rp_armed" ]; then
    rp_after_text > "$RP_DIR/after"
    ( set -eu; rp_arm ) > "$rp_out" 2>&1 9>&- || rp_status=$?
    if [ "$rp_status" = 0 ]; then rp_armed=1; rp_say "armed $RP_WINDOW"; fi
  elif [ "$4" = 1 ]; then
    rp_guard_wind
  fi
  if [ "$rp_status" = 0 ]; then
    rp_say "start $1 $5"
    timeout -k 5 "$3" /bin/sh "$0" step "$1" > "$rp_out" 2>&1 </dev/null 9>&- || rp_status=$?
  fi
  if [ "$rp_status" = 0 ]; then rp_say "done $1"; return; fi
  rp_failed="$rp_failed $1"
  tail -n 30 -- "$rp_out" | cut -c 1-1000 | sed 's/^/> /' | tee -a -- "$RP_FOLLOWED" >> "$RP_LOG"
  rp_say "fail $1 $rp_status"
  if [ "$4" = 1 ] && [ -n "$rp_armed" ]; then
    rp_guard_fire
    rp_say "fired"
    rp_hold='the guard has taken the change back'
  fi
}

rp_main() {
  if [ "$1" = step ]; then rp_one_step "$2"; return; fi
  rp_failed=; rp_hold=; rp_armed=
  rp_say "begin $RP_BATCH"
  exec 9>> /run/rempart/lease
  if flock -n 9; then
    printf '%s\n' "$RP_RUN" > /run/rempart/holder
    rp_all_steps
  else
    rp_say "busy $(cat /run/rempart/holder 2>/dev/null)"
  fi
  # What the payloads held is not needed any more.
  rm -rf -- "$RP_DIR/$RP_BATCH".[0-9]* "$RP_DIR/$RP_BATCH.sh"
  sync -- "$RP_LOG"
  rp_say "end $RP_BATCH"
}
