# The dead-man guard, on the target. Before a step that can lock people out, what it touches is kept and a unit is armed
# that puts it back unless somebody confirms over a fresh connection. The unit stands on disk: a transient one would not
# survive a reboot. Confirming and firing both rename `armed`; whoever renames first wins.
RP_GUARD=/var/lib/rempart/guard

# rp_guard_is FILE RUN BATCH: whether the guard's FILE is there and of this batch.
rp_guard_is() {
  [ -e "$RP_GUARD/$1" ] && read -r rp_is < "$RP_GUARD/$1" && [ "$rp_is" = "$2 $3" ]
} 2>/dev/null

# rp_guard_other RUN: says why this run may change nothing: what another one changed is not confirmed yet, and to put it
# back is to come back to what stood then.
rp_guard_other() {
  { read -r rp_other rp_ < "$RP_GUARD/armed" || read -r rp_other rp_ < "$RP_GUARD/firing"; } 2>/dev/null || return 1
  [ "$rp_other" != "$1" ] || return 1
  if [ -e "$RP_GUARD/person" ]; then
    echo "a checkpoint waits on this host for \`rempart commit\` or \`rempart rollback\`"
  elif [ -e "$RP_GUARD/firing" ]; then echo "this host is taking back the change of run $rp_other"
  else echo "a guard is armed on this host: it takes back the change of run $rp_other within $(cat "$RP_GUARD/window") s unless that run confirms it"
  fi
}

# rp_guard_arm RUN BATCH SECONDS TOUCHES AFTER LIBRARY [PERSON [WAY]]: keeps what the file TOUCHES names, arms, and syncs it
# all. LIBRARY holds the functions with which the guard works. With PERSON, nobody confirms but `rempart commit`; WAY is the
# one that the run came by, which that is to prove.
rp_guard_arm() {
  # One that has healed may still be tidying up behind itself.
  [ ! -e "$RP_GUARD/lock" ] || flock -w 60 "$RP_GUARD/lock" true || rp_fail 'this host is still taking a change back'
  [ -d /run/systemd/system ] || rp_fail "no systemd here, so no guard can be armed: a risky step is refused"
  if [ -e "$RP_GUARD/armed" ] || [ -e "$RP_GUARD/firing" ]; then
    rp_fail "$(rp_guard_other "$1" || echo 'the guard of an earlier batch is still armed on this host')"
  fi
  rm -rf -- "$RP_GUARD"
  mkdir -p -m 0700 /var/lib/rempart "$RP_GUARD"
  cp -- "$4" "$RP_GUARD/touches"
  cp -- "$5" "$RP_GUARD/after.sh"
  cp -- "$6" "$RP_GUARD/library.sh"
  [ ! -s "${4%/*}/owned" ] || cp -- "${4%/*}/owned" "$RP_GUARD/owned"
  ( RP_SECRET=; rp_keep "$RP_GUARD" )
  [ -z "${7:-}" ] || printf '%s\n' "$7" > "$RP_GUARD/person"
  [ -z "${8:-}" ] || printf '%s\n' "$8" > "$RP_GUARD/way"
  printf '%s\n' "$3" > "$RP_GUARD/window"
  printf '%s timer 1\n%s %s\ndiffers (nothing could be written down; was the disk full?)\n' "$(date +%s)" "$1" "$2" > "$RP_GUARD/healed.spare"
  # Given back when it fires, so that what it writes down has room on a disk that is full by then.
  head -c 131072 /dev/zero > "$RP_GUARD/reserve"
  cat > "$RP_GUARD/restore.sh" <<'RESTORE'
#!/bin/sh
# Written by rempart: puts back what a change that nobody confirmed has touched. $1 is `boot`, `timer`, `step` or `person`.
LC_ALL=C; export LC_ALL; umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
cd /var/lib/rempart/guard || exit 1
. ./library.sh
# A failed step and the timer may both want to: one at a time.
exec 5>> lock && flock 5 || exit 1
mv -T armed firing 2>/dev/null || [ -e firing ] || exit 0
rm -f reserve
sync -- .
read -r run batch < firing
# What a power loss in the middle has left of our own locks; nobody edits accounts so early.
[ "$1" != boot ] || rm -f /etc/passwd.lock /etc/shadow.lock /etc/group.lock /etc/gshadow.lock
status=0
rp_put_back /var/lib/rempart/guard "$1" > restore.log 2>&1 5>&- || status=$?
# Is it as it was? A restart may take a moment to be seen.
tries=0
# Held in memory: on a full disk what differs would be written down as nothing.
while left=$(rp_differs /var/lib/rempart/guard before) || left="how it stands cannot be told
$left"; [ "$1" != boot ] && [ -n "$left" ] && [ "$tries" -lt 5 ]; do
  tries=$((tries + 1)); sleep 1
done
[ "$1" != boot ] || left=$(printf '%s\n' "$left" | grep -v -e '^unit ' -e '^kernel ' -e '^packages ')
[ -z "$left" ] || status=1
sync -f .
rp_journal "$run" "$batch" healed - "$1 $status"
note="$(date +%s) $1 $status"
tell() { { echo "$note" && cat firing && printf '%s' "${left:+$left
}" | sed 's/^/differs /'; } > healed.tmp && sync -- healed.tmp; }
tell || { rm -rf copy lines; tell; } || mv -T healed.spare healed.tmp
mv -T healed.tmp healed
rm -f firing
rm -rf copy lines
sync -- .
[ "$1" = boot ] || systemctl stop rempart-guard.timer
systemctl disable --quiet rempart-guard-boot.service 2>/dev/null
exit 0
RESTORE
  rm -f /etc/systemd/system/rempart-guard.service /etc/systemd/system/rempart-guard.timer
  cat > /etc/systemd/system/rempart-guard.service <<UNIT
[Unit]
Description=Takes back a change of rempart that nobody confirmed
[Service]
Type=oneshot
ExecStart=/bin/sh $RP_GUARD/restore.sh timer
UNIT
  cat > /etc/systemd/system/rempart-guard.timer <<UNIT
[Unit]
Description=Waits for the confirmation of a change of rempart
[Timer]
OnActiveSec=$3
AccuracySec=1s
UNIT
  cat > /etc/systemd/system/rempart-guard-boot.service <<UNIT
[Unit]
Description=Takes back a change of rempart that was not confirmed before the reboot
DefaultDependencies=no
ConditionPathExists=|$RP_GUARD/armed
ConditionPathExists=|$RP_GUARD/firing
After=local-fs.target
Before=network-pre.target sysinit.target systemd-sysctl.service nftables.service rempart-nftables.service ufw.service ssh.service ssh.socket
Wants=network-pre.target
[Service]
Type=oneshot
ExecStart=/bin/sh $RP_GUARD/restore.sh boot
[Install]
WantedBy=sysinit.target
UNIT
  chmod 0644 /etc/systemd/system/rempart-guard.service /etc/systemd/system/rempart-guard.timer \
    /etc/systemd/system/rempart-guard-boot.service
  systemctl daemon-reload
  systemctl enable --quiet rempart-guard-boot.service
  printf '%s %s\n' "$1" "$2" > "$RP_GUARD/armed.tmp"
  find "$RP_GUARD" /etc/systemd/system/rempart-guard* /etc/systemd/system/sysinit.target.wants -exec sync -- {} +
  mv -T "$RP_GUARD/armed.tmp" "$RP_GUARD/armed"
  sync -- "$RP_GUARD" /etc/systemd/system
  systemctl start rempart-guard.timer
}

# Counts the window anew, before each risky step; fails if the guard has fired meanwhile.
rp_guard_wind() {
  [ -e "$RP_GUARD/armed" ] && systemctl restart rempart-guard.timer && [ -e "$RP_GUARD/armed" ]
}

# rp_guard_fire BY: takes the change back now: a risky step failed, or a person said so.
rp_guard_fire() {
  # The timer goes on until the change is taken back: were this to fail, it would do it.
  systemd-run --quiet --wait --collect /bin/sh "$RP_GUARD/restore.sh" "$1"
  [ -e "$RP_GUARD/armed" ] || systemctl stop rempart-guard.timer
}

# rp_guard_confirm confirmed|committed RUN BATCH: says `confirmed`, or how the guard of this batch stands. A confirmation
# whose answer was lost is the same when it is asked for again.
rp_guard_confirm() {
  if { rp_guard_is armed "$2" "$3" && mv -T "$RP_GUARD/armed" "$RP_GUARD/confirmed" 2>/dev/null; } \
    || rp_guard_is confirmed "$2" "$3"; then
    sync -- "$RP_GUARD"
    systemctl stop rempart-guard.timer
    [ "$(rp_guard_past "$2" "$3")" = confirmed ] || rp_journal "$2" "$3" "$1" -
    rp_guard_gone
    echo confirmed
  else
    rp_guard_state "$2" "$3"
  fi
}

# rp_guard_state RUN BATCH: how the guard of this batch stands.
# Nothing of a guard is left, on the disk too.
rp_guard_gone() {
  systemctl disable --quiet rempart-guard-boot.service 2>/dev/null
  # The link by hand as well: where its unit is gone already, `disable` leaves it.
  rm -f /etc/systemd/system/rempart-guard.service /etc/systemd/system/rempart-guard.timer \
    /etc/systemd/system/rempart-guard-boot.service /etc/systemd/system/sysinit.target.wants/rempart-guard-boot.service
  systemctl daemon-reload
  rm -rf -- "$RP_GUARD"
  sync -f /etc/systemd/system
  sync -f "${RP_GUARD%/*}"
}

# What a power loss brought back of a guard that had been confirmed; one that is armed, fires or has healed stays.
rp_guard_tidy() {
  for rp_word in armed firing healed; do [ ! -e "$RP_GUARD/$rp_word" ] || return 0; done
  [ -e "$RP_GUARD" ] || [ -e /etc/systemd/system/rempart-guard-boot.service ] \
    || [ -e /etc/systemd/system/rempart-guard.service ] || [ -e /etc/systemd/system/rempart-guard.timer ] \
    || [ -L /etc/systemd/system/sysinit.target.wants/rempart-guard-boot.service ] || return 0
  rp_guard_gone
}

rp_guard_state() {
  if rp_guard_is armed "$1" "$2"; then echo armed
  elif rp_guard_is firing "$1" "$2"; then echo firing
  elif grep -qsx "$1 $2" "$RP_GUARD/healed"; then echo healed; cat "$RP_GUARD/healed"
  else rp_guard_past "$1" "$2"
  fi
}

# What the journal knows of a guard that is armed no more: the word, when, by whom, and how the way back ended.
rp_guard_past() {
  awk -F '\t' -v run="$1" -v batch="$2" '$4 != run || $5 != batch { next }
    $6 == "confirmed" || $6 == "committed" { past = "confirmed" }
    $6 == "healed" { past = "healed\n" $3 " " $8 }
    END { print past == "" ? "none" : past }' "$RP_HOME/journal"
}
