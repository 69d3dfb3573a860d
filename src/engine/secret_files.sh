# Which files of this host hold a secret that rempart wrote there: a path a line. What a file held is never copied into a
# before-image once it stands here, whoever changes or removes it, since a copy would outlive the secret. A path is noted
# before the step that writes the secret, and forgotten when a later step finds nothing there.
RP_SECRET_FILES=/var/lib/rempart/secret-files

# rp_files_of FILE: the paths that touches are about, of those touches that have content.
rp_files_of() {
  while IFS= read -r rp_has <&4; do
    case $rp_has in
      "path "* | "tree "*) rp_about "$rp_has" ;;
      "part "*) rp_has=$(rp_about "$rp_has"); printf '%s\n' "${rp_has%% *}" ;;
    esac
  done 4< "$1"
}

# rp_secret_list FILE ...: replaces the list by the lines of these; old or new as a whole, and on the disk.
rp_secret_list() {
  sort -u -- "$@" > "$RP_SECRET_FILES.new" && sync -- "$RP_SECRET_FILES.new" \
    && mv -T -- "$RP_SECRET_FILES.new" "$RP_SECRET_FILES" && sync -- "${RP_SECRET_FILES%/*}"
}

# rp_secret_first FOLDER: the list, made from the before-images where a rempart worked that did not keep one yet.
rp_secret_first() {
  [ ! -e "$RP_SECRET_FILES" ] || return 0
  for rp_old in "$RP_HOME"/runs/*/*.*; do
    [ ! -e "$rp_old/secret" ] || [ ! -e "$rp_old/touches" ] || rp_files_of "$rp_old/touches" || return 1
  done > "$1/files" && rp_secret_list "$1/files"
}

# rp_secret_at PATH: whether it, or something below it, is on the list. A list that cannot be read says yes.
rp_secret_at() {
  RP_AT=$1 awk '$0 == ENVIRON["RP_AT"] || index($0, ENVIRON["RP_AT"] "/") == 1 { held = 1 } END { exit held }' "$RP_SECRET_FILES" \
    || return 0
  return 1
}

# rp_secret_gone FOLDER PATH: forgets it, and what was below it.
rp_secret_gone() {
  RP_AT=$2 awk '$0 != ENVIRON["RP_AT"] && index($0, ENVIRON["RP_AT"] "/") != 1' "$RP_SECRET_FILES" > "$1/stay" \
    && rp_secret_list "$1/stay" && rm -f -- "$1/stay"
}

# rp_secret_look FOLDER: of a before-image that is about to be made. A step that touches what holds a secret counts as one
# that writes a secret, and what a step that does touches is noted. Whoever gets an error back must change nothing.
rp_secret_look() {
  [ -e "$1/touches" ] || return 0
  rp_secret_first "$1" && rp_files_of "$1/touches" > "$1/files" || return 1
  rp_writes=; [ ! -e "$1/secret" ] || rp_writes=1
  while IFS= read -r rp_at <&3; do
    rp_secret_at "$rp_at" || continue
    if [ ! -e "$rp_at" ] && [ ! -L "$rp_at" ]; then rp_secret_gone "$1" "$rp_at" || return 1
    # A directory alone is its owner and mode, and holds no secret itself.
    elif [ ! -d "$rp_at" ] || [ -L "$rp_at" ] || grep -qxF -- "tree $rp_at" "$1/touches"; then : > "$1/secret" || return 1
    fi
  done 3< "$1/files"
  [ -z "$rp_writes" ] || rp_secret_list "$RP_SECRET_FILES" "$1/files" || return 1
  rm -f -- "$1/files"
}
