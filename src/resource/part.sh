# A part of a file that others write in too, as FILE WAY TEXT: `line` = the lines that are this very TEXT, `match` = those that
# match it (grep -E), `key` = those of authorized_keys with that key, `block` = what stands between the marks of TEXT, a mark
# and a name. What is not part of it stays as it is, to the byte. Status 3 = it cannot be told.

# rp_home_of PATH: a path that begins with `~NAME/` as it stands for that account; every other one as it is.
rp_home_of() {
  case $1 in "~"*) ;; *) printf '%s\n' "$1"; return ;; esac
  rp_account=${1#"~"}
  rp_home=$(getent passwd -- "${rp_account%%/*}") || return 1
  rp_home=${rp_home%:*}; rp_home=${rp_home##*:}
  case $rp_home in /*) printf '%s/%s\n' "${rp_home%/}" "${1#*/}" ;; *) return 1 ;; esac
}

# rp_part_at FILE WAY TEXT: the numbers of its lines, one a line; none = it is not there.
rp_part_at() {
  [ -f "$1" ] || return 0
  rp_got=0
  case $2 in
    line) rp_found=$(grep -naxF -e "$3" -- "$1") || rp_got=$? ;;
    match) rp_found=$(grep -naE -e "$3" -- "$1") || rp_got=$? ;;
    key)
      rp_found=$(rp_key=$3 awk '$1 !~ /^#/ { for (i = 1; i <= NF; i++) if ($i == ENVIRON["rp_key"]) { print NR ":"; next } }' < "$1") || return 3
      [ -n "$rp_found" ] || return 0
      ;;
    block)
      rp_found=$(rp_mark=${3%% *} rp_name=${3#* } awk '
        BEGIN { b = ENVIRON["rp_mark"] " BEGIN rempart " ENVIRON["rp_name"]; e = ENVIRON["rp_mark"] " END rempart " ENVIRON["rp_name"] }
        $0 == b { if (on || n++) bad = 1; on = 1 }
        on { print NR ":" }
        $0 == e { if (!on) bad = 1; on = 0 }
        END { if (on || bad) exit 3 }' < "$1") || { echo "the marks of $3 in $1 do not pair" >&2; return 3; }
      [ -n "$rp_found" ] || return 0
      ;;
    *) return 3 ;;
  esac
  [ "$rp_got" != 1 ] || return 0
  rp_found=$(printf '%s\n' "$rp_found" | sed -e 's/^\([0-9][0-9]*\):.*/\1/' -e t -e 's/.*/bad/') || return 3
  case $rp_got$rp_found in 0*bad*) echo "grep's answer about $1 was not understood" >&2; return 3 ;; 0*) printf '%s\n' "$rp_found" ;; *) return 3 ;; esac
}

# rp_part_show FILE WAY TEXT: a line with the numbers, and the lines themselves.
rp_part_show() {
  rp_numbers=$(rp_part_at "$@") || return 3
  echo at $rp_numbers end
  rp_part_lines "$@"
}

rp_part_lines() {
  rp_numbers=$(rp_part_at "$@") || return 3
  [ -z "$rp_numbers" ] || sed -n -e "$(printf '%sp\n' $rp_numbers)" -- "$1"
}

rp_part_rest() {
  rp_numbers=$(rp_part_at "$@") || return 3
  if [ -z "$rp_numbers" ]; then cat -- "$1"; else sed -e "$(printf '%sd\n' $rp_numbers)" -- "$1"; fi
}

# rp_part_put FILE WAY TEXT LINES AFTER: the whole of FILE with those of the file LINES in place of its part; where there is
# none yet, after the line of number AFTER, or at the end.
rp_part_put() {
  rp_numbers=$(rp_part_at "$1" "$2" "$3") && rp_end=$(sed -n '$=' -- "$1") || return 3
  rp_end=${rp_end:-0}; rp_at=${5:-$rp_end}
  [ -z "$rp_numbers" ] || rp_at=$(($(printf '%s\n' "$rp_numbers" | sed 1q) - 1))
  [ "$rp_at" = 0 ] || sed -n -e "1,${rp_at}p" -- "$1" || return 3
  if [ -s "$4" ]; then
    [ "$rp_at" != "$rp_end" ] || [ "$rp_end" = 0 ] || [ -z "$(tail -c 1 -- "$1")" ] || echo
    cat -- "$4" || return 3
    [ -z "$(tail -c 1 -- "$4")" ] || echo
  fi
  rp_drop=$([ "$rp_at" = 0 ] || printf '1,%sd\n' "$rp_at"; [ -z "$rp_numbers" ] || printf '%sd\n' $rp_numbers)
  sed -e "$rp_drop" -- "$1"
}
