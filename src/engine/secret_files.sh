# Which files of this host hold a secret that rempart wrote there: a path a line. What a file held is never copied into a
# before-image once it stands here, whoever changes or removes it, since a copy would outlive the secret. A path is noted
# before the step that writes the secret, and forgotten after a step of ours that removed the file, or replaced the whole of
# it by what is no secret. That nothing is there says nothing: a disk may not be mounted, or somebody moved it aside.
RP_SECRET_FILES=/var/lib/rempart/secret-files

# rp_files_of FILE: of those touches that have content the word and the path.
rp_files_of() {
  while IFS= read -r rp_has <&4; do
    case $rp_has in
      "path "* | "tree "*) printf '%s %s\n' "${rp_has%% *}" "$(rp_about "$rp_has")" ;;
      "part "*) rp_has=$(rp_about "$rp_has"); printf 'part %s\n' "${rp_has%% *}" ;;
    esac
  done 4< "$1"
}

# rp_secret_list FILE ...: replaces the list by the lines of these; old or new as a whole, and on the disk.
rp_secret_list() {
  sort -u -- "$@" > "$RP_SECRET_FILES.new" && sync -- "$RP_SECRET_FILES.new" \
    && mv -T -- "$RP_SECRET_FILES.new" "$RP_SECRET_FILES" && sync -- "${RP_SECRET_FILES%/*}"
}

# rp_secret_real FILE WORK: a line for each path of FILE, the same without a symlink on its way. WORK is a file to work with.
rp_secret_real() {
  sed -e 's|[^/]*$||' -e 's|^$|/|' -- "$1" | xargs -r -d '\n' readlink -m -- > "$2" || return 1
  awk 'FNR == NR { way[FNR] = $0; next } { sub(/.*\//, ""); print (way[FNR] == "/" ? "" : way[FNR]) "/" $0 }' "$2" "$1"
}

# rp_secret_names FOLDER: makes `paths` and `real` of its `files`.
rp_secret_names() { sed 's/^[^ ]* //' "$1/files" > "$1/paths" && rp_secret_real "$1/paths" "$1/work" > "$1/real"; }

# rp_secret_first FOLDER: the list, made from the before-images where a rempart worked that did not keep one yet.
rp_secret_first() {
  [ ! -e "$RP_SECRET_FILES" ] || return 0
  for rp_old in "$RP_HOME"/runs/*/*.*; do
    [ ! -e "$rp_old/secret" ] || [ ! -e "$rp_old/touches" ] || rp_files_of "$rp_old/touches" || return 1
  done > "$1/files" && rp_secret_names "$1" && rp_secret_list "$1/paths" "$1/real"
}

# rp_secret_at FOLDER PATH: whether it, or something below it, is on the list, by the name there or by the real one, which
# FOLDER/known tells. A list that cannot be read says yes.
rp_secret_at() {
  RP_AT=$2 awk '$0 == ENVIRON["RP_AT"] || index($0, ENVIRON["RP_AT"] "/") == 1 { held = 1 } END { exit held }' \
    "$RP_SECRET_FILES" "$1/known" || return 0
  return 1
}

# rp_secret_gone FOLDER PATH: forgets it, by whatever name.
rp_secret_gone() {
  rp_secret_real "$RP_SECRET_FILES" "$1/work" > "$1/known" \
    && RP_AT=$2 awk 'FNR == NR { real[FNR] = $0; next } $0 != ENVIRON["RP_AT"] && real[FNR] != ENVIRON["RP_AT"]' \
      "$1/known" "$RP_SECRET_FILES" > "$1/stay" \
    && rp_secret_list "$1/stay" && rm -f -- "$1/stay" "$1/known" "$1/work"
}

# rp_secret_look FOLDER: of a before-image that is about to be made. A step that touches what holds a secret counts as one
# that writes a secret, and what a step that does touches is noted. FOLDER/held is what it may make forgotten. Whoever gets
# an error back must change nothing.
rp_secret_look() {
  [ -e "$1/touches" ] || return 0
  rm -f -- "$1/held" "$1/replaced"
  rp_secret_first "$1" && rp_files_of "$1/touches" > "$1/files" && rp_secret_names "$1" || return 1
  rp_secret_real "$RP_SECRET_FILES" "$1/work" > "$1/known" || rm -f -- "$1/known"
  rp_writes=; [ ! -e "$1/secret" ] || rp_writes=1
  while IFS= read -r rp_at <&3 && IFS= read -r rp_real <&4; do
    rp_word=${rp_at%% *}; rp_at=${rp_at#* }
    rp_secret_at "$1" "$rp_at" || rp_secret_at "$1" "$rp_real" || continue
    [ -e "$rp_at" ] || [ -L "$rp_at" ] || continue
    # A directory alone is its owner and mode, and holds no secret itself.
    [ ! -d "$rp_at" ] || [ -L "$rp_at" ] || [ "$rp_word" = tree ] || continue
    : > "$1/secret" || return 1
    if [ -z "$rp_writes" ] && [ "$rp_word" = path ] && [ "$rp_at" = "$rp_real" ] && [ -f "$rp_at" ] && [ ! -L "$rp_at" ]; then
      printf '%s\n' "$rp_at" >> "$1/held" || return 1
    fi
  done 3< "$1/files" 4< "$1/real"
  [ -z "$rp_writes" ] || rp_secret_list "$RP_SECRET_FILES" "$1/paths" "$1/real" || return 1
  rm -f -- "$1/files" "$1/paths" "$1/real" "$1/known" "$1/work"
}

# rp_secret_done FOLDER: of a step that is done, and that no guard will take back: forgets what it removed or replaced.
rp_secret_done() {
  [ -e "$1/held" ] || return 0
  while IFS= read -r rp_at <&3; do
    if [ -e "$rp_at" ] || [ -L "$rp_at" ]; then grep -qsxF -- "$rp_at" "$1/replaced" || continue; fi
    rp_secret_gone "$1" "$rp_at" || return 1
  done 3< "$1/held"
  rm -f -- "$1/held" "$1/replaced"
}
