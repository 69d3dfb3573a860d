# Runs the steps of a batch, one process each. What happens is written to the journal, which stays, and to the batch's own
# log, which the controller follows: one line an event, `> ` before a line that a failed step printed. What steps print is
# told and not kept, since it may hold what nobody should read later. Titles hold no secrets.
rp_tell() { printf '%s\n' "$*" >> "$RP_FOLLOWED"; }

# rp_note WORD STEP [TEXT]: into the journal and the log. Its result counts: without a journal nothing is changed.
rp_note() {
  rp_journal "$RP_RUN" "$RP_BATCH" "$1" "$2" "${3:-}" 2>> "$RP_FOLLOWED.err" || return 1
  rp_tell "$1 $2${3:+ $3}"
}

rp_stale() {
  printf 'changed since it was read (%s)\n  read: %s\n  now:  %s\n' "$1" "$2" "$3" >&2
  exit 75
}

# Nobody follows any more, or the user asked to stop: the next step does not begin.
rp_held() {
  [ -e "$RP_DIR/stop" ] && { echo 'the user stopped the run'; return 0; }
  # Where nobody left a sign, nobody was heard of.
  rp_heard=$(stat -c %Y "$RP_DIR/alive" 2>/dev/null) || rp_heard=0
  [ $(($(date +%s) - rp_heard)) -lt "$RP_ORPHAN" ] && return 1
  echo "nobody has followed this run for $RP_ORPHAN s"
}

# rp_before NUMBER: what the step touches is kept, on the disk, before its intent is written.
rp_before() {
  rp_image="$RP_IMAGES/$RP_BATCH.$1"
  mkdir -p -m 0700 -- "$rp_image" && rp_describe "$1" "$rp_image" && rp_secret_look "$rp_image" || return 1
  RP_SECRET=; [ ! -e "$rp_image/secret" ] || RP_SECRET=1
  [ -e "$rp_image/permanent" ] || rp_keep "$rp_image" || return 1
  find "$rp_image" \( -type f -o -type d \) -exec sync -- {} + && sync -- "$RP_IMAGES"
}

# rp_half TOUCHES: what a step that was killed has half written beside its files goes; it may hold a secret.
rp_half() {
  rp_files_of "$1" | while IFS= read -r rp_at; do
    rp_at=${rp_at#* }
    ! rp_leads_there "$rp_at" || [ -d "${rp_at%/*}/.rempart.new.${rp_at##*/}" ] || rm -f -- "${rp_at%/*}/.rempart.new.${rp_at##*/}"
  done
}

rp_bad() {
  rp_failed="$rp_failed $1"
  tail -n 30 -- "$rp_out" | cut -c 1-1000 | sed 's/^/> /' >> "$RP_FOLLOWED"
}

# rp_step NUMBER REQUIRED TIMEOUT RISKY SYNCED TEXT
rp_step() {
  for rp_required in $2; do
    case " $rp_failed " in *" $rp_required "*)
      rp_failed="$rp_failed $1"; rp_note skip "$1" "$rp_required" || rp_tell "skip $1 $rp_required"; return ;;
    esac
  done
  [ -n "$rp_hold" ] || rp_hold=$(rp_held) || rp_hold=
  if [ -n "$rp_hold" ]; then
    rp_failed="$rp_failed $1"; rp_note hold "$1" "$rp_hold" || rp_tell "hold $1 $rp_hold"; return
  fi
  rp_out="$RP_DIR/$RP_BATCH.$1.out"
  rp_status=0
  # In shells of their own under `set -e`, each waited for by `wait`: `if` and `||` would switch `-e` off inside.
  if [ "$4" = 1 ] && [ -z "$rp_armed" ]; then
    ( set -eu; rp_arm ) > "$rp_out" 2>&1 9>&- & wait $! || rp_status=$?
    if [ "$rp_status" = 0 ]; then rp_armed=1; rp_note armed - "$RP_WINDOW" || rp_status=$?; fi
  elif [ "$4" = 1 ]; then
    rp_guard_wind > "$rp_out" 2>&1 || { echo 'the guard is not armed any more' >> "$rp_out"; rp_status=1; }
  fi
  if [ "$rp_status" = 0 ]; then
    { rp_before "$1" && rp_journal "$RP_RUN" "$RP_BATCH" intent "$1" "$6"; } > "$rp_out" 2>&1 9>&- || rp_status=74
  fi
  if [ "$rp_status" = 0 ]; then
    rp_tell "intent $1 $6"
    RP_IMAGE=$rp_image timeout -k 5 "$3" /bin/sh "$0" step "$1" > "$rp_out" 2>&1 </dev/null 9>&- || rp_status=$?
    # How things stand now is what a later rollback compares with, after a failed step too.
    [ -e "$rp_image/permanent" ] || rp_mark "$rp_image" 2>/dev/null 9>&- || :
    # `done` in the journal means that it is on the disk: what tools wrote (useradd, dpkg, docker) is in memory until now.
    if [ "$5" = 1 ]; then find "$rp_image" -maxdepth 1 -type f -exec sync -- {} + 2>/dev/null; else sync; fi
    if [ "$rp_status" = 0 ]; then
      if rp_note done "$1"; then
        # What a guard may put back yet is as secret as before.
        [ -n "$rp_armed" ] || [ -e "$RP_GUARD/armed" ] || [ -e "$RP_GUARD/firing" ] || rp_secret_done "$rp_image" 2>/dev/null 9>&- || :
        return
      fi
      rp_tell "done $1"; rp_hold='the journal cannot be written; is the disk full?'; return
    fi
    [ ! -e "$rp_image/touches" ] || rp_half "$rp_image/touches" 2>/dev/null 9>&-
    rp_bad "$1"
    rp_note fail "$1" "$rp_status" || rp_tell "fail $1 $rp_status"
  else
    rp_bad "$1"
    rp_tell "fail $1 $rp_status"
  fi
  if [ "$4" = 1 ] && [ -n "$rp_armed" ]; then
    rp_guard_fire step
    rp_note fired - || rp_tell 'fired -'
    rp_hold='the guard has taken the change back'
  fi
}

# The lease: one run a host. Its holder is whoever's batch has the lock, or whose controller is still connected and was
# heard of lately. A dead one is taken over, and the journal says so.
rp_lease() {
  exec 9>> /run/rempart/lease
  # Somebody who only looks at the host holds the lock for a moment.
  flock -w 5 9 || { rp_holder; return 1; }
  if [ -s /run/rempart/holder ]; then
    read -r rp_run < /run/rempart/holder
    [ "$rp_run" != "$RP_RUN" ] || return 0
    case " $RP_OVER " in *" $rp_run "*) rp_over=1 ;; *) rp_over= ;; esac
    if [ -z "$rp_over" ] && [ -s "/run/rempart/$rp_run/session" ]; then
      read -r rp_session < "/run/rempart/$rp_run/session"
      rp_alive=$(stat -c %Y "/run/rempart/$rp_run/alive" 2>/dev/null || echo 0)
      if kill -0 "$rp_session" 2>/dev/null && [ $(($(date +%s) - rp_alive)) -lt 600 ]; then rp_holder; return 1; fi
    fi
    rp_journal "$RP_RUN" 0 took - "$rp_run" 2>/dev/null || :
  fi
  rm -f /run/rempart/holder.tmp
  printf '%s\n%s\n%s\n%s\n' "$RP_RUN" "$RP_WHO" "$(date +%s)" "$RP_WHY" > /run/rempart/holder.tmp
  mv -T /run/rempart/holder.tmp /run/rempart/holder
}

rp_holder() {
  rp_run=; rp_who=; rp_since=; rp_why=
  [ ! -e /run/rempart/holder ] || { read -r rp_run; read -r rp_who; read -r rp_since; read -r rp_why; } < /run/rempart/holder
  rp_tell "busy $rp_run$RP_TAB$rp_who$RP_TAB$rp_since$RP_TAB$rp_why"
}

rp_main() {
  if [ "$1" = step ]; then rp_one_step "$2"; return; fi
  rp_failed=; rp_hold=; rp_armed=
  rp_tell "begin $RP_BATCH"
  if rp_lease; then
    rp_guard_tidy
    if rp_other=$(rp_guard_other "$RP_RUN"); then
      rp_tell "broken nothing was changed: $rp_other"
    elif [ -e "$RP_IMAGES/open" ] || { mkdir -p -m 0700 -- "$RP_IMAGES" \
        && rp_journal "$RP_RUN" 0 open - "$RP_WHO: $RP_WHY" && : > "$RP_IMAGES/open" \
        && sync -- "$RP_IMAGES/open" "$RP_IMAGES" "${RP_IMAGES%/*}"; } 2>> "$RP_FOLLOWED.err"; then
      rp_all_steps
      rp_note end -
    else
      rp_tell "broken nothing was changed, because the journal cannot be written: $(grep . "$RP_FOLLOWED.err" | head -n 1)"
    fi
    rp_tell "head $(tail -n 1 "$RP_HOME/journal" | cut -f 1,2)"
  fi
  # What the payloads held is not needed any more.
  rm -rf -- "$RP_DIR/$RP_BATCH".[0-9]* "$RP_DIR/$RP_BATCH.sh"
  rp_tell "finish $RP_BATCH"
}
