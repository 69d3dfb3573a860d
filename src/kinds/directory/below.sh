# rp_below TOP TEST... ACTION...: find in all that is below a directory, but not in what is mounted there, nor where links lead.
# The directory is entered first, so that nobody can put another one in its place meanwhile.
rp_below() {
  rp_top=$1; shift
  cd -- "$rp_top" && [ "$(pwd -P)" = "$rp_top" ] || { echo "$rp_top has a symlink on its way" >&2; return 3; }
  while read -r rp_x rp_x rp_x rp_x rp_mount rp_x; do
    case $rp_mount in *\\*) rp_mount=$(printf '%b' "$(printf '%s' "$rp_mount" | sed 's/\\/\\0/g')") ;; esac
    case $rp_mount in "$rp_top"/*) set -- ! -samefile "$rp_mount" "$@" ;; esac
  done < /proc/self/mountinfo
  find . -ignore_readdir_race -xdev -mindepth 1 "$@"
}

# rp_below_differs TOP TEST...: the first that pass the test, how many they are with the line after them, and find's status.
rp_below_differs() {
  { ( rp_below "$@" -printf '%u:%g %m %P\0' ); printf 'end %s\0' $?; } | sed -z -n -e '1,4p' -e '$!d' -e '=' -e p
}

# The number of an account (passwd) or group (group); nothing where there is none yet.
rp_number_of() {
  rp_got=0; rp_entry=$(getent "$1" -- "$2") || rp_got=$?
  case $rp_got$rp_entry in
    0*:*:*) rp_entry=${rp_entry#*:*:}; printf '%s\n' "${rp_entry%%:*}" ;;
    2) case $2 in *[!0-9]*) ;; *) printf '%s\n' "$2" ;; esac ;;
    *) return 3 ;;
  esac
}
