# Runs on the target as root. Functions for steps; what each promises stands in src/resource/step.rs.
LC_ALL=C; export LC_ALL; umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH

rp_fail() { printf '%s\n' "$*" >&2; exit 1; }

# Refuses a parent that is not what it seems: a symlink on the way, or a directory of somebody else, could be swapped
# under a root that writes into it.
rp_parent() {
  [ -d "$1" ] || rp_fail "the directory $1 does not exist"
  [ "$(readlink -f -- "$1")" = "$1" ] || rp_fail "$1 has a symlink on its way; use the real path"
  set -- "$1" "$2" "$(stat -c %U -- "$1")"
  [ "$3" = root ] || [ "$3" = "$2" ] || rp_fail "$1 belongs to $3, who could swap what is written there"
}

# What is half written at rp_tmp goes with the step, also when its time is up: on a signal alone dash runs no EXIT trap. Only
# while it is there, since other work (apt, say) is not to be waited for, and then killed.
rp_tidy() {
  trap 'rm -f -- "$rp_tmp"' EXIT
  trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
}

rp_put() {
  rp_dir=${2%/*}; rp_dir=${rp_dir:-/}
  rp_parent "$rp_dir" "$4"
  # Always the same name, so that what a power loss has left goes the next time.
  rp_tmp="${rp_dir%/}/.rempart.new.${2##*/}"
  rp_tidy
  rm -f -- "$rp_tmp"
  : > "$rp_tmp"
  chown -- "$4:$5" "$rp_tmp"
  cat -- "$1" > "$rp_tmp"
  chmod -- "$3" "$rp_tmp"
  sync -- "$rp_tmp"
  if [ -n "${6:-}" ]; then
    "$6" "$rp_tmp" || rp_fail "the real tool refuses the new $2; the old one stays"
  fi
  mv -T -- "$rp_tmp" "$2"
  sync -- "$rp_dir"
  # Whole, and by what the playbook says: what was there before is gone from it (secret_files.sh).
  case $1 in "${P:-/none}"/[0-9]*) printf '%s\n' "$2" >> "$RP_IMAGE/replaced" || : ;; esac
  trap - EXIT HUP INT TERM
}

# Refuses a path that leads elsewhere: whoever set the link would have root change what is there.
rp_real() { [ "$(readlink -f -- "$1")" = "$1" ] || rp_fail "$1 has a symlink on its way; use the real path"; }

# rp_link TARGET PATH OWNER GROUP: a symbolic link, in one rename; what is no link is never replaced.
rp_link() {
  rp_dir=${2%/*}; rp_dir=${rp_dir:-/}
  rp_parent "$rp_dir" "$3"
  [ -L "$2" ] || [ ! -e "$2" ] || rp_fail "$2 is no link, so it stays"
  rp_tmp="${rp_dir%/}/.rempart.new.${2##*/}"
  rp_tidy
  rm -f -- "$rp_tmp"
  ln -s -- "$1" "$rp_tmp"
  chown -h -- "$3:$4" "$rp_tmp"
  mv -T -- "$rp_tmp" "$2"
  sync -- "$rp_dir"
  trap - EXIT HUP INT TERM
}

rp_directory() {
  if [ -d "$1" ]; then rp_real "$1"
  else
    rp_dir=${1%/*}
    rp_parent "${rp_dir:-/}" "${3%%:*}"
    # With its owner and mode before it has its name: it is there as wanted, or not at all.
    rp_new="${rp_dir%/}/.rempart.new.${1##*/}"
    rm -rf -- "$rp_new"
    mkdir -- "$rp_new"
    chown -- "$3" "$rp_new"
    chmod -- "00$2" "$rp_new"
    mv -T -- "$rp_new" "$1"
    return
  fi
  chown -- "$3" "$1"
  # chmod keeps a directory's setuid and setgid bits unless the number has more than four digits.
  chmod -- "00$2" "$1"
}

# rp_part_write FILE WAY TEXT LINES AFTER VALIDATOR [MODE OWNER GROUP]: writes a part of a file (part.sh says which), atomically
# and with all that the file has: owner, mode and access lists, unless others are given, which a new file needs.
rp_part_write() {
  rp_dir=${1%/*}; rp_dir=${rp_dir:-/}
  [ ! -L "$1" ] || rp_fail "$1 is a symlink; use the real path"
  if [ -f "$1" ]; then rp_from=$1; else rp_from=/dev/null; fi
  rp_parent "$rp_dir" "${8:-$(stat -c %U -- "$1")}"
  rp_tmp="${rp_dir%/}/.rempart.new.${1##*/}"
  rp_tidy
  rm -f -- "$rp_tmp"
  if [ "$rp_from" = "$1" ]; then cp -a -- "$1" "$rp_tmp"; else : > "$rp_tmp"; fi
  [ -z "${8:-}" ] || chown -- "$8:$9" "$rp_tmp"
  rp_part_put "$rp_from" "$2" "$3" "$4" "$5" > "$rp_tmp" || rp_fail "the part of $1 cannot be told from the rest"
  [ -z "${7:-}" ] || chmod -- "$7" "$rp_tmp"
  sync -- "$rp_tmp"
  if [ -n "$6" ]; then "$6" "$rp_tmp" || rp_fail "the real tool refuses the new $1; the old one stays"; fi
  mv -T -- "$rp_tmp" "$1"
  sync -- "$rp_dir"
  trap - EXIT HUP INT TERM
}

# rp_verified PATH SHA256: reads a large file whole, and remembers that it had this sum when it was as it is now, so that
# a look need not read it again (src/resource/verified.rs).
rp_verified() {
  rp_id=$(stat -c '%i %s %.9Z' -- "$1")
  rp_sum=$(sha256sum < "$1")
  [ "${rp_sum%% *}" = "$2" ] || rp_fail "$1 has the sum ${rp_sum%% *}, not $2"
  rp_size=${rp_id#* }
  if [ "${rp_size%% *}" -lt 67108864 ] || [ "$(stat -c '%i %s %.9Z' -- "$1")" != "$rp_id" ]; then return 0; fi
  rp_key=$(printf %s "$1" | sha256sum)
  rp_key=/var/lib/rempart/verified/${rp_key%% *}
  mkdir -p -m 0700 -- "${rp_key%/*}"
  printf '%s %s\n' "$rp_id" "$2" > "$rp_key.new"
  sync -- "$rp_key.new"
  mv -T -- "$rp_key.new" "$rp_key"
}
