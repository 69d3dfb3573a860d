# rp_unpack FROM PATH SHA256 FORMAT STRIP OWNER GROUP MODE CREATES...: it is unpacked and judged beside its place, where
# only root can write, and gets its name as a whole.
rp_unpack() {
  rp_from=$1 rp_to=$2 rp_sha=$3 rp_format=$4 rp_strip=$5 rp_owner=$6 rp_group=$7 rp_mode=$8
  shift 8
  rp_dir=${rp_to%/*}; rp_dir=${rp_dir:-/}
  rp_parent "$rp_dir" root
  rp_new="${rp_dir%/}/.rempart.new.${rp_to##*/}"
  rm -rf -- "$rp_new"
  trap 'rm -rf -- "$rp_new"' EXIT
  mkdir -m 0700 -- "$rp_new" "$rp_new/all"
  [ -f "$rp_from" ] || rp_fail "the archive $rp_from is not there"
  # A copy of our own, so that what was summed is what is unpacked.
  cp -- "$rp_from" "$rp_new/archive"
  rp_sum=$(sha256sum < "$rp_new/archive")
  [ "${rp_sum%% *}" = "$rp_sha" ] || rp_fail "$rp_from has the sum ${rp_sum%% *}, not $rp_sha"
  rp_members > "$rp_new/members" || rp_fail "$rp_from cannot be read as $rp_format"
  rp_bad=$(grep -E '^/|^(.*/)?\.\.(/.*)?$' "$rp_new/members" | head -n 1) || :
  [ -z "$rp_bad" ] || rp_fail "the member $rp_bad of $rp_from would land elsewhere"
  umask 022
  case $rp_format in
    zip) unzip -qq -o "$rp_new/archive" -d "$rp_new/all" </dev/null ;;
    *) tar -xf "$rp_new/archive" -C "$rp_new/all" --no-same-owner --no-same-permissions ;;
  esac || rp_fail "$rp_from cannot be unpacked"
  umask 077
  rm -f -- "$rp_new/archive"
  rp_top="$rp_new/all" rp_left=$rp_strip
  while [ "$rp_left" -gt 0 ]; do
    rp_left=$((rp_left - 1))
    [ "$(find "$rp_top" -mindepth 1 -maxdepth 1 -printf x)" = x ] && [ -z "$(find "$rp_top" -mindepth 1 -maxdepth 1 ! -type d)" ] ||
      rp_fail "$rp_from does not hold one folder $((rp_strip - rp_left)) deep that all the rest is in, so nothing can be stripped"
    rp_top=$(find "$rp_top" -mindepth 1 -maxdepth 1 -print; echo .)
    rp_top=${rp_top%??}
  done
  rp_judge
  for rp_made do
    [ -e "$rp_top/$rp_made" ] || [ -L "$rp_top/$rp_made" ] || rp_fail "$rp_from does not bring $rp_made"
  done
  [ ! -e "$rp_top/.rempart.archive" ] && [ ! -L "$rp_top/.rempart.archive" ] || rp_fail "$rp_from brings a .rempart.archive of its own"
  find "$rp_top" -type f -perm /7000 -exec chmod a-s,-t -- {} +
  chown -hR -- "$rp_owner:$rp_group" "$rp_top"
  printf 'sha256 %s\nstrip %s\n' "$rp_sha" "$rp_strip" > "$rp_top/.rempart.archive"
  chown -- root:root "$rp_top/.rempart.archive"
  chmod -- 0644 "$rp_top/.rempart.archive"
  chmod -- "00$rp_mode" "$rp_top"
  sync -f -- "$rp_top"
  rp_exchange "$rp_top" "$rp_to"
  rm -rf -- "$rp_new"
  trap - EXIT
  sync -- "$rp_dir"
}

rp_members() {
  case $rp_format in
    zip) unzip -Z1 "$rp_new/archive" </dev/null ;;
    *) tar -tf "$rp_new/archive" --quoting-style=escape ;;
  esac
}

# What is in it: files, folders, links that stay inside; no devices, no hard link to something outside.
rp_judge() {
  rp_bad=$(find "$rp_top" ! -type f ! -type d ! -type l -printf '%P\n' | head -n 1)
  [ -z "$rp_bad" ] || rp_fail "the member $rp_bad of $rp_from is neither file, folder nor link"
  rp_bad=$(find "$rp_top" -type f -links +1 -printf '%i %n\n' |
    awk '{ seen[$1]++; all[$1] = $2 } END { for (i in all) if (seen[i] != all[i]) { print i; exit } }')
  [ -z "$rp_bad" ] || rp_fail "a hard link in $rp_from leads out of it"
  find "$rp_top" -type l -exec sh -c '
    top=$1; shift
    for link do
      case $(readlink -- "$link") in
        /*) ;;
        *) case $(readlink -m -- "$link") in "$top"/*) continue ;; esac ;;
      esac
      printf "%s\n" "${link#"$top"/}"; exit 1
    done' sh "$rp_top" {} + > "$rp_new/links" || rp_fail "the link $(cat "$rp_new/links") of $rp_from leads out of it"
  rm -f -- "$rp_new/links"
}

# rp_exchange NEW OLD: the two change places in one moment where this perl knows the system call, in two renames elsewhere.
rp_exchange() {
  if [ ! -e "$2" ]; then mv -T -- "$1" "$2"; return; fi
  case $(uname -m) in x86_64) rp_call=316 ;; aarch64 | riscv64) rp_call=276 ;; *) rp_call= ;; esac
  if [ -n "$rp_call" ] && perl -e 'exit(syscall($ARGV[0] + 0, -100, $ARGV[1], -100, $ARGV[2], 2) == 0 ? 0 : 1)' -- "$rp_call" "$1" "$2"; then
    return
  fi
  mv -T -- "$2" "$rp_new/old"
  mv -T -- "$1" "$2"
}
