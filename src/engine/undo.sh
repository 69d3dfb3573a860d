# What a step touches, how it stands, how it is kept and put back. A touch is a line, a word and what it is about:
#   path P | tree P | line FILE KEY | member FILE GROUP USER | part FILE WAY TEXT | access P | packages all | unit NAME
#   kernel PATH | home P | container NAME | network NAME | image NAME | fstab PATH | mount PATH | effect COMMAND
# A folder of the journal holds for one step: `touches`, `before` and `after` (how each stood, a line each), `copy/` and
# `lines/` (what is put back), `after.sh` (what makes it effective).

# What is larger is not kept; a model of many gigabytes would fill the disk twice.
RP_KEEP_BYTES=67108864

# rp_state TOUCH: how it stands, in one line that changes when the thing does. RP_SECRET=1: without a sum of its content.
rp_state() {
  rp_word=${1%% *}; rp_what=$(rp_about "$1")
  case $rp_word in
    path | home) rp_state_path "$rp_what" ;;
    effect) echo done ;;
    container) rp_state_container "$rp_what" ;;
    network) rp_state_network "$rp_what" ;;
    image) rp_is=$(docker image inspect -f '{{.Id}}' -- "$rp_what" 2>/dev/null) && echo "$rp_is" || echo absent ;;
    tree) rp_state_tree "$rp_what" ;;
    line) rp_state_line "${rp_what%% *}" "${rp_what#* }" ;;
    member) rp_state_member $rp_what ;;
    part) rp_state_part "$rp_what" ;;
    access) if [ -d "$rp_what" ]; then echo listed; else echo absent; fi ;;
    packages) dpkg-query -W -f='${db:Status-Abbrev}${binary:Package} ${Version}\n' | grep '^[a-z]i ' | sha256sum ;;
    unit) rp_state_unit "$rp_what" ;;
    kernel) tr -s '\t' ' ' < "/proc/sys/$rp_what" 2>/dev/null || echo absent ;;
    fstab) rp_state_fstab "$rp_what" ;;
    mount) rp_state_mount "$rp_what" ;;
    *) return 1 ;;
  esac
}

# rp_about TOUCH: what it is about; a path that begins with `~NAME/` as it stands for that account, which may have moved.
rp_about() {
  case $1 in
    "path ~"* | "tree ~"* | "part ~"*) rp_home_of "${1#* }" || printf '/%s\n' "${1#* }" ;;
    *) printf '%s\n' "${1#* }" ;;
  esac
}

rp_state_path() {
  if [ -L "$1" ]; then printf 'symlink %s %s\n' "$(stat -c %u:%g -- "$1")" "$(readlink -- "$1")"
  elif [ -d "$1" ]; then printf 'directory %s%s\n' "$(stat -c '%a %u:%g' -- "$1")" "$(rp_acl "$1")"
  elif [ -f "$1" ]; then printf 'file %s %s%s\n' "$(stat -c '%a %u:%g %s' -- "$1")" "$(rp_sum "$1")" "$(rp_acl "$1")"
  elif [ -e "$1" ]; then printf 'special %s\n' "$(stat -c '%F %a %u:%g %t:%T' -- "$1")"
  else echo absent
  fi
}

rp_sum() {
  if [ -n "${RP_SECRET:-}" ] || [ "$(stat -c %s -- "$1")" -gt "$RP_KEEP_BYTES" ]; then
    stat -c 'i%i-%.9Z' -- "$1"
  else
    rp_sum=$(sha256sum < "$1") && printf '%s' "${rp_sum%% *}"
  fi
}

# Access control lists: all of them where getfacl is at hand; else at least whether there is one.
rp_acl() {
  case $(ls -ld -- "$1") in ??????????+*) ;; *) return ;; esac
  if command -v getfacl >/dev/null 2>&1; then printf ' acl:%s' "$(getfacl -cnp -- "$1" | tr '\n' ',')"; else printf ' acl'; fi
}

rp_state_tree() {
  [ -e "$1" ] || [ -L "$1" ] || { echo absent; return; }
  { find "$1" -printf '%P|%y|%m|%U|%G|%l\n'; find "$1" -type f -exec sha256sum -- {} +; } 2>/dev/null | sort | sha256sum
}

rp_state_line() {
  rp_line=$(rp_lines_of "$1" "$2")
  [ -n "$rp_line" ] || { echo absent; return; }
  printf '%s' "$rp_line" | sha256sum
}

rp_lines_of() { [ ! -e "$1" ] || awk -F: -v key="$2" '$1 == key' "$1"; }

rp_state_member() {
  awk -F: -v group="$2" -v user="$3" '$1 == group { n = split($4, all, ","); for (i = 1; i <= n; i++) if (all[i] == user) is = 1 }
    END { print is ? "member" : "absent" }' "$1"
}

rp_fstab_of() { [ ! -e /etc/fstab ] || awk -v at="$1" '!/^[[:space:]]*#/ && $2 == at' /etc/fstab; }

rp_state_fstab() {
  rp_line=$(rp_fstab_of "$1")
  [ -n "$rp_line" ] || { echo absent; return; }
  printf '%s' "$rp_line" | sha256sum
}

# What is mounted there last: its root in its file system, its flags, type, source, and the options of the whole.
rp_state_mount() {
  awk -v at="$1" '$5 == at { for (i = 7; $i != "-"; i++); is = $4 " " $6 " " $(i + 1) " " $(i + 2) " " $(i + 3) }
    END { print is == "" ? "absent" : is }' /proc/self/mountinfo
}

# rp_part_of "FILE WAY TEXT": sets rp_file, rp_told_by and rp_text; the text is written with escapes.
rp_part_of() {
  rp_file=${1%% *}; rp_text=${1#* }; rp_told_by=${rp_text%% *}
  rp_text=$(printf '%b' "${rp_text#* }")
}

rp_state_part() {
  rp_part_of "$1"
  rp_numbers=$(rp_part_at "$rp_file" "$rp_told_by" "$rp_text") || return 1
  [ -n "$rp_numbers" ] || { echo absent; return; }
  rp_sum=$(rp_part_lines "$rp_file" "$rp_told_by" "$rp_text" | sha256sum) || return 1
  printf 'lines %s %s\n' "$(stat -c '%a %u:%g' -- "$rp_file")" "${rp_sum%% *}"
}

rp_state_unit() {
  # It fails for whatever is not enabled, and a step that runs under `set -e` would end here.
  rp_enabled=$(systemctl is-enabled -- "$1" 2>/dev/null) || :
  printf '%s %s\n' "${rp_enabled:-not-found}" "$(systemctl show -p ActiveState --value -- "$1")"
}

rp_state_container() {
  rp_is=$(docker container inspect -f '{{.Id}} {{.State.Running}} {{with .HostConfig}}{{.Memory}}/{{.NanoCpus}}/{{json .PidsLimit}}/{{.RestartPolicy.Name}}/{{.RestartPolicy.MaximumRetryCount}}{{end}}' \
    -- "$1" 2>/dev/null) || { echo absent; return; }
  printf '%s\n' "$rp_is"
}

# Not its id: one that was made anew with all that it had is the same.
rp_state_network() {
  rp_is=$(docker network inspect -f '{{.Driver}} {{.Internal}} {{.EnableIPv6}} {{.Attachable}} {{range .IPAM.Config}}{{json .}} {{end}}{{range $k, $v := .Options}}{{json $k}}={{json $v}} {{end}}{{range $k, $v := .Labels}}{{json $k}}={{json $v}} {{end}}' \
    -- "$1" 2>/dev/null) || { echo absent; return; }
  printf 'there %s\n' "$rp_is"
}

# rp_keep FOLDER: copies what FOLDER/touches names, and writes FOLDER/before. RP_SECRET=1: copies no content of files.
rp_keep() {
  mkdir -p -m 0700 -- "$1/copy" "$1/lines" || return 1
  : > "$1/before" || return 1
  rp_number=0
  while IFS= read -r rp_touch; do
    rp_number=$((rp_number + 1))
    rp_now=$(rp_state "$rp_touch") || { echo "cannot tell how it stands: $rp_touch" >&2; return 1; }
    rp_what=$(rp_about "$rp_touch")
    case "${rp_touch%% *} $rp_now" in
      "part "*) [ -n "${RP_SECRET:-}" ] || [ ! -f "${rp_what%% *}" ] || rp_copy "$1" "${rp_what%% *}" || return 1 ;;
      "path file "* | "path symlink "*) [ -n "${RP_SECRET:-}" ] || rp_copy "$1" "$rp_what" || return 1 ;;
      "access listed") rp_access "$rp_what" > "$1/lines/$rp_number" || return 1 ;;
      "tree absent") ;;
      "tree "*) [ -n "${RP_SECRET:-}" ] || rp_copy "$1" "$rp_what" || return 1 ;;
      "path directory "*) rp_keep_folder "$rp_what" > "$1/lines/$rp_number" || return 1 ;;
      "line "*) rp_lines_of "${rp_what%% *}" "${rp_what#* }" > "$1/lines/$rp_number" || return 1 ;;
      "fstab "*) rp_fstab_of "$rp_what" > "$1/lines/$rp_number" || return 1 ;;
      "packages "*)
        dpkg-query -W -f='${db:Status-Abbrev}${binary:Package} ${Version}\n' | grep '^[a-z]i ' | sort > "$1/packages" || return 1
        find /etc -xdev -type f > "$1/etc" || return 1
        ;;
    esac
    printf '%s\n' "$rp_now" >> "$1/before" || return 1
  done < "$1/touches"
}

rp_copy() {
  if [ -f "$2" ] && [ ! -L "$2" ] && [ "$(stat -c %s -- "$2")" -gt "$RP_KEEP_BYTES" ]; then return 0; fi
  rp_parent_of=${2%/*}
  mkdir -p -- "$1/copy$rp_parent_of" && cp -a -- "$2" "$1/copy$2"
}

# The directory alone, with its access control lists and attributes.
rp_keep_folder() { tar -C / --no-recursion --numeric-owner --acls --xattrs -cf - -- ".$1"; }

# rp_access DIRECTORY: mode, owner, type and name of all that is below it, a line each. What has a line's end in
# its name is passed over, and so is not put back.
rp_access() {
  ( cd -- "$1" && find . -ignore_readdir_race -xdev -mindepth 1 ! -name '*
*' -printf '%m %U:%G %y %P\n' )
}

# rp_access_moved FOLDER NUMBER DIRECTORY: of what was listed before, that which stands otherwise now: `<`, how it stood,
# and `>`, how it stands.
rp_access_moved() {
  rp_access "$3" | awk '
    { name = $0; for (i = 0; i < 3; i++) sub(/^[^ ]* /, "", name) }
    FNR == NR { was[name] = $0; next }
    (name in was) && was[name] != $0 { print "< " was[name]; print "> " $0 }' "$1/lines/$2" -
}

# rp_access_stands FOLDER NUMBER DIRECTORY before|after: whether all that the step changed, and is still there, stands so.
rp_access_stands() {
  [ -d "$3" ] || return 0
  [ -e "$1/lines/$2" ] || return 0
  [ -e "$1/access.$2" ] || { [ "$4" = before ] || return 0; [ -z "$(rp_access_moved "$1" "$2" "$3" | sed 1q)" ]; return; }
  if [ "$4" = before ]; then rp_side='<'; else rp_side='>'; fi
  rp_access "$3" | awk -v side="$rp_side" '
    { line = $0; if (FNR == NR) sub(/^[<>] /, "", line); name = line; for (i = 0; i < 3; i++) sub(/^[^ ]* /, "", name) }
    FNR == NR { if ($1 == side) want[name] = line; next }
    (name in want) && want[name] != line { bad = 1 }
    END { exit bad }' "$1/access.$2" -
}

rp_back_access() {
  [ -d "$3" ] && [ -s "$1/lines/$2" ] || return 0
  rp_leads_there "$3/x" || return 1
  if [ -e "$1/access.$2" ]; then cat -- "$1/access.$2"; else rp_access_moved "$1" "$2" "$3"; fi | ( cd -- "$3" && rp_access_bad=0 &&
    while IFS= read -r rp_line; do
      case $rp_line in "< "*) rp_line=${rp_line#< } ;; *) continue ;; esac
      rp_mode=${rp_line%% *}; rp_line=${rp_line#* }; rp_owner=${rp_line%% *}; rp_line=${rp_line#* }; rp_name=${rp_line#* }
      [ -e "$rp_name" ] || [ -L "$rp_name" ] || continue
      # Whoever put a link in a place since would have root change what is elsewhere.
      rp_real="$3/$rp_name"
      [ "$(readlink -f -- "${rp_real%/*}")" = "${rp_real%/*}" ] || { echo "$rp_real is not where it was" >&2; rp_access_bad=1; continue; }
      case $rp_line in "l "*) chown -h -- "$rp_owner" "./$rp_name" || rp_access_bad=1; continue ;; esac
      [ "$(readlink -f -- "$rp_name")" = "$rp_real" ] || { echo "$rp_real is not what it was" >&2; rp_access_bad=1; continue; }
      chown -h -- "$rp_owner" "./$rp_name" && chmod -- "00$rp_mode" "./$rp_name" || rp_access_bad=1
    done; exit "$rp_access_bad" )
}

# rp_mark FOLDER: writes FOLDER/after, so that what was changed since can be told.
rp_mark() {
  rp_number=0
  while IFS= read -r rp_touch; do
    rp_number=$((rp_number + 1))
    case $rp_touch in
      "access "*) [ ! -e "$1/lines/$rp_number" ] || rp_access_moved "$1" "$rp_number" "${rp_touch#* }" > "$1/access.$rp_number" ;;
    esac
    if [ "$rp_touch" = "packages all" ]; then
      dpkg-query -W -f='${db:Status-Abbrev}${binary:Package} ${Version}\n' | grep '^[a-z]i ' | sort | comm -3 "$1/packages" - > "$1/moved"
    fi
    rp_state "$rp_touch"
  done < "$1/touches" > "$1/after.tmp" && mv -T -- "$1/after.tmp" "$1/after"
}

# rp_differs FOLDER before|after: prints each touch that does not stand as it says there, with how it stands.
rp_differs() {
  rp_at_touch=0
  while IFS= read -r rp_touch <&6 && IFS= read -r rp_then <&7; do
    rp_at_touch=$((rp_at_touch + 1))
    case $rp_touch in
      "access "*) rp_access_stands "$1" "$rp_at_touch" "${rp_touch#* }" "$2" || printf '%s\n' "$rp_touch"; continue ;;
    esac
    if [ "$rp_touch" = "packages all" ] && [ -e "$1/moved" ]; then
      # Only what this step moved counts: other packages are other people's.
      if [ "$2" = before ]; then rp_packages_stand "$1/moved" '' || printf '%s\n' "$rp_touch"
      else rp_packages_stand "$1/moved" "$RP_TAB" || printf '%s\n' "$rp_touch"; fi
      continue
    fi
    # Nobody can look at it, so it stands until it was taken back.
    case $rp_touch in "effect "*) [ "$2" = after ] || [ -e "$1/undone" ] || printf '%s\n' "$rp_touch"; continue ;; esac
    rp_now=$(rp_state "$rp_touch")
    [ "$rp_now" = "$rp_then" ] || printf '%s\n' "$rp_touch"
  done 6< "$1/touches" 7< "$1/$2"
}

# rp_put_back FOLDER [boot|broken|mend]: puts back what FOLDER keeps. At boot only files: nothing can be started yet. `broken`:
# of a step that never ended. `mend`: of such a step, apart from packages that dpkg itself calls half done or new.
rp_put_back() {
  rp_bad=0; rp_number=0
  # A unit that was not there is let go of while its file still says what enabling it has made.
  while IFS= read -r rp_touch <&6 && IFS= read -r rp_then <&7; do
    case "$rp_touch $rp_then" in
      "unit "*" not-found "*) [ "${2:-}" = boot ] || systemctl disable --quiet --now -- "${rp_touch#* }" 2>/dev/null || : ;;
    esac
  done 6< "$1/touches" 7< "$1/before"
  while IFS= read -r rp_touch <&6 && IFS= read -r rp_then <&7; do
    rp_number=$((rp_number + 1)); rp_what=$(rp_about "$rp_touch")
    case ${rp_touch%% *} in
      path) rp_back_path "$1" "$rp_what" "$rp_then" "$1/lines/$rp_number" ;;
      home) rp_back_home "$rp_what" "$rp_then" ;;
      tree) rp_back_tree "$1" "$rp_what" "$rp_then" ;;
      line) rp_back_line "$1/lines/$rp_number" "${rp_what%% *}" "${rp_what#* }" ;;
      member) rp_back_member "$rp_then" $rp_what ;;
      fstab) rp_back_fstab "$1/lines/$rp_number" "$rp_what" ;;
      mount) rp_back_mount "$rp_what" "$rp_then" ;;
      part) rp_back_part "$1" "$rp_what" "$rp_then" ;;
      access) rp_back_access "$1" "$rp_number" "$rp_what" ;;
      kernel) [ "${2:-}" = boot ] || [ "$rp_then" = absent ] || printf '%s\n' "$rp_then" > "/proc/sys/$rp_what" ;;
      *) : ;;
    esac || { rp_bad=1; printf 'not put back: %s\n' "$rp_touch" >&2; }
  done 6< "$1/touches" 7< "$1/before"
  [ ! -e "$1/owned" ] || rp_owned_back "$1/owned" || { rp_bad=1; echo 'not put back: what rempart made' >&2; }
  [ "${2:-}" != boot ] || return "$rp_bad"
  case ${2:-} in broken | mend) [ ! -e "$1/packages" ] || rp_back_broken_packages "$1" "$2" ;; esac || { rp_bad=1; echo 'not put back: packages' >&2; }
  [ ! -e "$1/moved" ] || rp_back_packages "$1/moved" || { rp_bad=1; echo 'not put back: packages' >&2; }
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
  if [ -s "$1/after.sh" ]; then sh "$1/after.sh" </dev/null || { rp_bad=1; echo 'what was put back did not come into effect' >&2; }; fi
  while IFS= read -r rp_touch <&6 && IFS= read -r rp_then <&7; do
    case ${rp_touch%% *} in
      # Once more: ufw and others set them anew while they come into effect.
      kernel) [ "$rp_then" = absent ] || printf '%s\n' "$rp_then" > "/proc/sys/${rp_touch#* }" ;;
      unit) rp_back_unit "${rp_touch#* }" $rp_then ;;
      container) rp_back_container "${rp_touch#* }" $rp_then ;;
      # After its containers. Docker itself refuses where others have joined it.
      network) [ "$rp_then" != absent ] || [ "$(rp_state "$rp_touch")" = absent ] || docker network rm -- "${rp_touch#* }" >/dev/null ;;
      image) rp_back_image "${rp_touch#* }" "$rp_then" ;;
    esac || { rp_bad=1; printf 'not put back: %s\n' "$rp_touch" >&2; }
  done 6< "$1/touches" 7< "$1/before"
  [ "$rp_bad" != 0 ] || : > "$1/undone"
  return "$rp_bad"
}

rp_back_path() {
  rp_state_now=$(rp_state_path "$2")
  [ "$rp_state_now" != "$3" ] || return 0
  rp_leads_there "$2" || return 1
  # A folder that was empty may have gone with what was in it, as systemd does with those of its links.
  [ "$3" = absent ] || [ -d "${2%/*}/" ] || ( umask 022; mkdir -p -- "${2%/*}/" ) || return 1
  case $3 in
    absent) if [ -d "$2" ] && [ ! -L "$2" ]; then rmdir -- "$2"; else rm -f -- "$2"; fi ;;
    directory*)
      if [ -L "$2" ] || { [ -e "$2" ] && [ ! -d "$2" ]; }; then rm -f -- "$2" || return 1; fi
      ! command -v setfacl >/dev/null 2>&1 || [ ! -d "$2" ] || setfacl -b -k -- "$2"
      tar -C / -p --same-owner --numeric-owner --acls --xattrs -xf "$4"
      ;;
    *)
      [ -e "$1/copy$2" ] || [ -L "$1/copy$2" ] || { printf '%s was not kept: a secret, or too large\n' "$2" >&2; return 1; }
      [ ! -d "$2" ] || [ -L "$2" ] || rmdir -- "$2" || return 1
      rp_swap_in "$1/copy$2" "$2"
      ;;
  esac && sync -- "${2%/*}/"
}

# Whoever put a link on the way since would have root write elsewhere.
rp_leads_there() {
  case $1 in "/~"*) echo "the account of ${1#/} is not there" >&2; return 1 ;; esac
  rp_way=${1%/*}; rp_way=${rp_way:-/}
  [ ! -e "$rp_way" ] || [ "$(readlink -f -- "$rp_way")" = "$rp_way" ] || { echo "$rp_way has a symlink on its way" >&2; return 1; }
}

# Beside the target and renamed, so that it is old or new at any moment; on a full disk the copy itself moves. The name is
# always the same, so that what a power loss has left goes the next time.
rp_swap_in() {
  rp_new="${2%/*}/.rempart.back.${2##*/}"
  rm -rf -- "$rp_new"
  if cp -aT --remove-destination -- "$1" "$rp_new" && { [ -L "$rp_new" ] || sync -- "$rp_new"; }; then mv -T -- "$rp_new" "$2"
  else rm -rf -- "$rp_new"; mv -T -- "$1" "$2"; fi
}

# A home goes again while all that is in it is the skeleton's; what somebody put there stays.
rp_back_home() {
  [ "$2" = absent ] && [ -d "$1" ] && [ ! -L "$1" ] || return 0
  rp_more=$(cd -- "$1" && find . ! -type d -exec sh -c 'for f; do
    [ -f "$f" ] && [ ! -L "$f" ] && cmp -s -- "/etc/skel/$f" "$f" || { echo more; exit; }; done' sh {} +) || return 1
  if [ -n "$rp_more" ]; then printf '%s holds more than a new home does, so it stays\n' "$1" >&2; return 1; fi
  rm -rf -- "$1" && sync -- "${1%/*}/"
}

rp_back_tree() {
  rp_old="${2%/*}/.rempart.old.${2##*/}"
  rp_leads_there "$2" || return 1
  if [ "$(rp_state_tree "$2")" = "$3" ]; then rm -rf -- "$rp_old"; return; fi
  if [ "$3" = absent ]; then rm -rf -- "$2"; sync -- "${2%/*}/"; return; fi
  if [ -e "$2" ]; then rm -rf -- "$rp_old" && mv -T -- "$2" "$rp_old" || return 1; fi
  rp_swap_in "$1/copy$2" "$2" && rm -rf -- "$rp_old" && sync -f -- "$2"
}

# The tools that edit accounts take such a lock for each of these files; so do we, or one of the two would lose.
rp_lock() {
  rp_new="${1%/*}/.rempart.back.${1##*/}"
  rm -f -- "$rp_new" "$1.rempart"
  printf %s $$ > "$1.rempart" || return 1
  rp_tries=0
  until ln -- "$1.rempart" "$1.lock" 2>/dev/null; do
    rp_tries=$((rp_tries + 1))
    rp_locker=$(tr -d '\0' < "$1.lock" 2>/dev/null)
    # As those tools do: the lock of a process that is no more counts for nothing.
    case $rp_locker in '' | *[!0-9]*) ;; *) kill -0 "$rp_locker" 2>/dev/null || { rm -f -- "$1.lock"; continue; } ;; esac
    if [ "$rp_tries" -gt 100 ]; then rm -f -- "$1.rempart"; echo "$1 is locked by process $rp_locker" >&2; return 1; fi
    sleep 0.2
  done
  rm -f -- "$1.rempart"
}

rp_back_line() {
  [ "$(rp_lines_of "$2" "$3")" != "$(cat -- "$1")" ] || return 0
  rp_lock "$2" || return 1
  rp_line_status=0
  rp_write_line "$@" || rp_line_status=1
  rm -f -- "$2.lock"
  return "$rp_line_status"
}

rp_write_line() {
  cp -a -- "$2" "$rp_new" && awk -F: -v key="$3" -v kept="$1" '
    BEGIN { while ((getline line < kept) > 0) keep[++n] = line }
    $1 == key { if (!done) for (i = 1; i <= n; i++) print keep[i]; done = 1; next }
    { print }
    END { if (!done) for (i = 1; i <= n; i++) print keep[i] }' "$2" > "$rp_new" \
    && sync -- "$rp_new" && mv -T -- "$rp_new" "$2" && sync -- "${2%/*}/" || { rm -f -- "$rp_new"; return 1; }
}

rp_back_member() {
  [ "$(rp_state_member "$2" "$3" "$4")" != "$1" ] || return 0
  rp_lock "$2" || return 1
  rp_line_status=0
  rp_write_member "$@" || rp_line_status=1
  rm -f -- "$2.lock"
  return "$rp_line_status"
}

rp_write_member() {
  cp -a -- "$2" "$rp_new" && awk -F: -v OFS=: -v group="$3" -v user="$4" -v wanted="$1" '
    $1 == group {
      n = split($4, all, ","); list = ""
      for (i = 1; i <= n; i++) if (all[i] != user) list = list (list == "" ? "" : ",") all[i]
      if (wanted == "member") list = list (list == "" ? "" : ",") user
      $4 = list
    }
    { print }' "$2" > "$rp_new" \
    && sync -- "$rp_new" && mv -T -- "$rp_new" "$2" && sync -- "${2%/*}/" || { rm -f -- "$rp_new"; return 1; }
}

rp_back_fstab() {
  [ "$(rp_fstab_of "$2")" != "$(cat -- "$1")" ] || return 0
  rp_new=/etc/.rempart.back.fstab
  rm -f -- "$rp_new"
  if [ -e /etc/fstab ]; then cp -a -- /etc/fstab "$rp_new"; else : > /etc/fstab; : > "$rp_new"; chmod 0644 "$rp_new"; fi
  awk -v at="$2" -v kept="$1" '
    function keep() { while ((getline line < kept) > 0) print line; done = 1 }
    !/^[[:space:]]*#/ && $2 == at { if (!done) keep(); next }
    { print }
    END { if (!done) keep() }' /etc/fstab > "$rp_new" \
    && sync -- "$rp_new" && mv -T -- "$rp_new" /etc/fstab && sync -- /etc/ || { rm -f -- "$rp_new"; return 1; }
}

# rp_back_mount PATH STATE. What stands in /etc/fstab was put back before it. What is busy stays, and is told.
rp_back_mount() {
  rp_now=$(rp_state_mount "$1")
  [ "$rp_now" != "$2" ] || return 0
  if [ "$2" = absent ]; then umount -- "$1"; return; fi
  rp_at=$1; set -- $2
  case $rp_now in
    absent) ;;
    "$1 "*" $3 $4 "*)
      if [ "$1" = / ]; then mount -o "remount,$5,$(rp_all_flags "$2")" -- "$4" "$rp_at"; else false; fi \
        || mount -o "remount,bind,$(rp_all_flags "$2")" -- "$rp_at"
      return ;;
    *) umount -- "$rp_at" || return 1 ;;
  esac
  rp_fstab_of "$rp_at" | grep -q . && mount -- "$rp_at" && [ "$(rp_state_mount "$rp_at")" = "$*" ] && return
  [ "$1" = / ] || { echo "what was mounted at $rp_at is not known by a line" >&2; return 1; }
  ! awk -v at="$rp_at" '$5 == at { f = 1 } END { exit !f }' /proc/self/mountinfo || umount -- "$rp_at" || return 1
  mount -t "$3" -o "$5,$2" -- "$4" "$rp_at"
}

# Each flag that takes something away, or its opposite.
rp_all_flags() {
  rp_flags=$1
  for rp_flag in ro/rw noexec/exec nosuid/suid nodev/dev; do
    case ",$1," in *",${rp_flag%/*},"*) ;; *) rp_flags="$rp_flags,${rp_flag#*/}" ;; esac
  done
  printf %s "$rp_flags"
}

# rp_back_part FOLDER "FILE WAY TEXT" BEFORE: the very file that was kept where nobody else has written in it since; else the
# lines alone, where they stood.
rp_back_part() {
  [ "$(rp_state_part "$2")" != "$3" ] || return 0
  rp_part_of "$2"
  rp_leads_there "$rp_file" || return 1
  rp_kept="$1/copy$rp_file"
  if [ ! -e "$rp_file" ]; then
    [ -d "${rp_file%/*}/" ] || ( umask 022; mkdir -p -- "${rp_file%/*}/" ) || return 1
    rp_swap_in "$rp_kept" "$rp_file"; return
  fi
  [ -f "$rp_file" ] && [ ! -L "$rp_file" ] || { echo "$rp_file is no file any more" >&2; return 1; }
  [ -e "$rp_kept" ] || rp_kept=/dev/null
  rp_part_rest "$rp_file" "$rp_told_by" "$rp_text" > "$1/lines/rest" && rp_part_rest "$rp_kept" "$rp_told_by" "$rp_text" > "$1/lines/kept" || return 1
  if cmp -s -- "$1/lines/rest" "$1/lines/kept"; then
    if [ "$rp_kept" = /dev/null ]; then rm -f -- "$rp_file"; else rp_swap_in "$rp_kept" "$rp_file"; fi && sync -- "${rp_file%/*}/"
    return
  fi
  rp_part_lines "$rp_kept" "$rp_told_by" "$rp_text" > "$1/lines/part" || return 1
  rp_at=$(rp_part_at "$rp_kept" "$rp_told_by" "$rp_text" | sed 1q)
  case $rp_at in
    '') ;;
    1) rp_at=0 ;;
    *) rp_at=$(rp_part_at "$rp_file" line "$(sed -n -e "$((rp_at - 1))p" -- "$rp_kept")" | sed -n '$p') ;;
  esac
  rp_new="${rp_file%/*}/.rempart.back.${rp_file##*/}"
  rm -f -- "$rp_new"
  if [ "$rp_kept" = /dev/null ]; then cp -a -- "$rp_file" "$rp_new"; else cp -a -- "$rp_kept" "$rp_new"; fi \
    && rp_part_put "$rp_file" "$rp_told_by" "$rp_text" "$1/lines/part" "$rp_at" > "$rp_new" \
    && sync -- "$rp_new" && mv -T -- "$rp_new" "$rp_file" && sync -- "${rp_file%/*}/" || { rm -f -- "$rp_new"; return 1; }
}

# rp_back_unit NAME ENABLED ACTIVE
rp_back_unit() {
  set -- "$1" "$2" "$3" $(rp_state_unit "$1")
  if [ "$2" != "$4" ]; then
    [ "$4" != masked ] || systemctl unmask --quiet -- "$1"
    case $2 in
      enabled) systemctl enable --quiet -- "$1" ;;
      disabled) systemctl disable --quiet -- "$1" ;;
      masked) systemctl mask --quiet -- "$1" ;;
    esac || return 1
  fi
  case "$3 $5" in
    "active active" | "inactive inactive" | "failed failed" | "failed inactive") ;;
    active*) systemctl start -- "$1" ;;
    # One that ended badly when it was stopped stays in sight as failed.
    inactive*) systemctl stop -- "$1" && { systemctl reset-failed -- "$1" 2>/dev/null || :; } ;;
    failed*) systemctl stop -- "$1" ;;
  esac
}

# rp_back_container NAME absent | NAME ID RUNNING LIMITS; limits are set back by after.sh.
rp_back_container() {
  set -- "$1" "$2" "${3:-}" $(rp_state_container "$1")
  if [ "$2" = absent ]; then [ "$4" = absent ] || docker rm -f -- "$1" >/dev/null; return; fi
  [ "$2" = "$4" ] || { echo "the container $1 was made anew; what the old one held is gone" >&2; return 1; }
  case "$3 $5" in
    "true false") docker start -- "$1" >/dev/null ;;
    "false true") docker stop -- "$1" >/dev/null ;;
  esac
}

# rp_back_image NAME ID|absent: docker itself refuses to let go of an image that a container was made of.
rp_back_image() {
  set -- "$1" "$2" "$(rp_state "image $1")"
  [ "$2" != "$3" ] || return 0
  if [ "$2" = absent ]; then docker image rm -- "$1" >/dev/null; return; fi
  docker tag "$2" "$1" || { echo "the image that had the name $1 is gone" >&2; return 1; }
  # The other one goes, unless it has another name.
  if [ "$(docker image inspect -f '{{len .RepoTags}}' -- "$3" 2>/dev/null)" = 0 ]; then docker image rm -- "$3" >/dev/null 2>&1 || :; fi
}

# Old versions come back, what was brought goes; what others have built on it since is not torn down.
# rp_unroll FOLDER [broken|mend]: puts back what FOLDER keeps, and insists that all of it stands as before; a service may take a moment.
rp_unroll() {
  rp_put_back "$@" || exit 1
  for rp_try in 1 2 3 4 5 6; do
    rp_left=$(rp_differs "$1" before)
    [ -n "$rp_left" ] || return 0
    sleep 1
  done
  printf 'not as before: %s\n' "$rp_left" >&2
  exit 1
}

# rp_tell_back FOLDER: what is known of a step's before-image, for the plan of a rollback; `RUN/B.S` as FOLDER.
rp_tell_back() {
  printf 'step %s\ntitle %s\n' "${1##*/}" "$(head -n 1 "$1/title")"
  [ ! -e "$1/risky" ] || echo risky
  if [ -e "$1/permanent" ]; then printf 'permanent %s\n' "$(head -n 1 "$1/permanent")"; return; fi
  [ -e "$1/before" ] || { echo 'permanent nothing was kept of it'; return; }
  # Where nothing stood before, nothing secret is put back: what was made is removed.
  RP_SECRET=
  if [ -e "$1/secret" ]; then RP_SECRET=1; rp_stood=$(grep -cvx absent "$1/before") || :; [ "$rp_stood" = 0 ] || echo secret; fi
  sed 's/^/touch /' "$1/touches"
  sed 's/^/after /' "$1/after.sh"
  rp_differs "$1" before | sed 's/^/open /'
  if [ -e "$1/after" ]; then rp_differs "$1" after | sed 's/^/changed /'; else echo unmarked; fi
  # Whoever cannot look must not seem to have found nothing.
  rp_empty=$(rp_emptied "$1") || { echo 'it cannot be told what apt has left empty' >&2; return 1; }
  [ -z "$rp_empty" ] || printf '%s\n' "$rp_empty" | sed 's/^/emptied /'
}
