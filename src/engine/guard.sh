# The dead-man guard, on the target. Before a step that can lock people out, what it touches is copied and a unit is
# armed that puts it back unless somebody confirms over a fresh connection. The unit stands on disk: a transient one
# would not survive a reboot. Confirming and firing both rename `armed`; whoever renames first wins.
RP_GUARD=/var/lib/rempart/guard

# rp_guard_arm SECONDS AFTER_FILE PATH...: copies each PATH (or notes that it is absent), arms, and syncs it all.
rp_guard_arm() {
  [ -d /run/systemd/system ] || rp_fail "no systemd here, so no guard can be armed: a risky step is refused"
  [ ! -e "$RP_GUARD/armed" ] && [ ! -e "$RP_GUARD/firing" ] || rp_fail "another guard is armed on this host"
  rp_window=$1; rp_after=$2; shift 2
  rm -rf -- "$RP_GUARD"
  mkdir -p -m 0700 /var/lib/rempart "$RP_GUARD" "$RP_GUARD/copy"
  : > "$RP_GUARD/paths"
  for rp_path in "$@"; do
    printf '%s\n' "$rp_path" >> "$RP_GUARD/paths"
    if [ -e "$rp_path" ] || [ -L "$rp_path" ]; then
      cp -a --parents -- "$rp_path" "$RP_GUARD/copy"
    fi
  done
  cp -- "$rp_after" "$RP_GUARD/after.sh"
  cat > "$RP_GUARD/restore.sh" <<'RESTORE'
#!/bin/sh
# Written by rempart: puts back what a change that nobody confirmed has touched. $1 is `boot` or `timer`.
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
cd /var/lib/rempart/guard || exit 1
mv -T armed firing 2>/dev/null || [ -e firing ] || exit 0
while IFS= read -r path; do
  case "$path" in /?*) ;; *) continue ;; esac
  rm -rf -- "$path"
  [ -e "copy$path" ] || [ -L "copy$path" ] || continue
  cp -a -- "copy$path" "$path"
done < paths
sync
systemctl daemon-reload 2>/dev/null
status=0
if [ "$1" != boot ]; then
  sh after.sh > after.log 2>&1 || status=$?
fi
printf '%s %s %s\n' "$(date +%s)" "$1" "$status" > healed.tmp
cat firing >> healed.tmp
sync -- healed.tmp
mv -T healed.tmp healed
rm -f firing
sync -- .
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
OnActiveSec=$rp_window
AccuracySec=1s
UNIT
  cat > /etc/systemd/system/rempart-guard-boot.service <<UNIT
[Unit]
Description=Takes back a change of rempart that was not confirmed before the reboot
DefaultDependencies=no
ConditionPathExists=|$RP_GUARD/armed
ConditionPathExists=|$RP_GUARD/firing
After=local-fs.target
Before=network-pre.target sysinit.target nftables.service ufw.service ssh.service ssh.socket
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
  printf '%s\n' "$RP_RUN" > "$RP_GUARD/armed.tmp"
  find "$RP_GUARD" /etc/systemd/system/rempart-guard* /etc/systemd/system/sysinit.target.wants -exec sync -- {} + 
  mv -T "$RP_GUARD/armed.tmp" "$RP_GUARD/armed"
  sync -- "$RP_GUARD" /etc/systemd/system
  systemctl start rempart-guard.timer
}

# Counts the window anew, before each risky step.
rp_guard_wind() { systemctl restart rempart-guard.timer; }

# Takes the change back now, because a risky step failed.
rp_guard_fire() {
  systemctl stop rempart-guard.timer
  systemctl start rempart-guard.service
}

# Says `confirmed`, or how the guard stands.
rp_guard_confirm() {
  if mv -T "$RP_GUARD/armed" "$RP_GUARD/confirmed" 2>/dev/null; then
    systemctl stop rempart-guard.timer
    systemctl disable --quiet rempart-guard-boot.service
    rm -rf -- "$RP_GUARD"
    rm -f /etc/systemd/system/rempart-guard.service /etc/systemd/system/rempart-guard.timer \
      /etc/systemd/system/rempart-guard-boot.service
    systemctl daemon-reload
    echo confirmed
  else
    rp_guard_state
  fi
}

rp_guard_state() {
  if [ -e "$RP_GUARD/armed" ]; then echo armed
  elif [ -e "$RP_GUARD/firing" ]; then echo firing
  elif [ -e "$RP_GUARD/healed" ]; then echo healed; cat "$RP_GUARD/healed"
  else echo none
  fi
}
