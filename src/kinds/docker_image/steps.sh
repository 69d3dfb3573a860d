# Steps of an image. Docker writes names to the disk at once and what they mean later: after a power loss, a name may
# stand for an image without its layers, and docker would take such layers for there. So the image comes under a first
# name; its own name comes when all is on the disk, and the record, which alone counts as whole, comes last. TRY stands
# from the beginning to the end: what is found beside it is of nobody.
# rp_bring FIRST (made by the kind) brings the image under that name.

# rp_sound ARCHIVE SHA256: insists on the archive's sum, and that nobody but root can put another in its place.
rp_sound() {
  rp_parent "${1%/*}" root
  rp_real "$1"
  [ -f "$1" ] || rp_fail "the archive $1 is not there"
  [ "$(stat -c %u -- "$1")" = 0 ] || rp_fail "the archive $1 does not belong to root"
  [ -n "$2" ] || return 0
  rp_sum=$(sha256sum < "$1")
  [ "${rp_sum%% *}" = "$2" ] || rp_fail "the archive $1 has the sum ${rp_sum%% *}, not $2"
}

# rp_config ARCHIVE NAME: sets rp_id to the id of the only image in what `docker save` wrote. Docker would give it every
# name that the archive says, and take those names from others.
rp_config() {
  rp_manifest=$(tar -xOf "$1" manifest.json) || rp_fail "$1 holds no manifest.json, so docker save did not write it"
  rp_id=$(printf '%s' "$rp_manifest" | grep -oE '"Config" *: *"[^"]*"' | sed 's/.*: *"//; s/"$//; s|^blobs/sha256/||; s/\.json$//')
  case $rp_id in *[!0-9a-f]* | '') rp_fail "$1 holds no image, or several" ;; esac
  rp_id=sha256:$rp_id
  rp_others=$(printf '%s' "$rp_manifest" | grep -oE '"RepoTags" *: *\[[^]]*\]' | sed 's/^[^[]*//' | grep -oE '"[^"]*"' | tr -d '"' |
    grep -vxF -e "$2" -e "docker.io/$2" -e "docker.io/library/$2" | tr '\n' ' ') || :
  [ -z "$rp_others" ] || rp_fail "$1 would give docker other names too: $rp_others; save it under $2 alone"
}

# rp_load ARCHIVE FIRST
rp_load() {
  docker image inspect -- "$rp_id" >/dev/null 2>&1 || docker load -q -i "$1" >/dev/null || return 1
  docker tag "$rp_id" "$2"
}

# rp_pull PIN FIRST
rp_pull() {
  docker image inspect -- "$1" >/dev/null 2>&1 || docker pull -q -- "$1" >/dev/null || return 1
  docker tag "$1" "$2"
}

# rp_unname NAME: lets go of a name, and so of an image that has no other one.
rp_unname() {
  docker image inspect -- "$1" >/dev/null 2>&1 || return 0
  docker image rm -- "$1" >/dev/null
}

# rp_clean NAME RECORD FIRST: takes away what an interrupted try has left; TRY names what it had begun to bring.
rp_clean() {
  [ -e "$2.try" ] || return 0
  rp_unname "$3" || return 1
  while IFS= read -r rp_half; do
    rp_half_id=$(docker image inspect -f '{{.Id}}' -- "$rp_half" 2>/dev/null) || continue
    if [ "$(docker image inspect -f '{{.Id}}' -- "$1" 2>/dev/null)" = "$rp_half_id" ]; then rp_unname "$1" || return 1; fi
    rp_unname "$rp_half" || return 1
  done < "$2.try"
}

# rp_image NAME RECORD PIN FIRST ID WHAT: WHAT docker will call it before it has a name, if that is known.
rp_image() {
  mkdir -p -m 0700 -- "${2%/*}"
  rp_clean "$1" "$2" "$4" || rp_fail "what an interrupted try has left of $1 cannot be taken away"
  rm -f -- "$2"
  : > "$2.try"
  if [ -n "$6" ] && ! docker image inspect -- "$6" >/dev/null 2>&1; then printf '%s\n' "$6" > "$2.try"; fi
  sync -- "$2.try" "${2%/*}"
  rp_bring "$4" || {
    rp_unname "$4" && rm -f -- "$2.try"
    rp_fail "docker does not take the image $1"
  }
  rp_is=$(docker image inspect -f '{{.Id}}' -- "$4")
  if [ -n "$5" ] && [ "$rp_is" != "$5" ]; then
    rp_unname "$4" && rm -f -- "$2.try"
    rp_fail "the image has the id $rp_is, not $5; $1 was not given to it"
  fi
  sync
  docker tag "$rp_is" "$1"
  docker image rm -- "$4" >/dev/null
  printf '%s\n' "$rp_is" "$3" > "$2.new"
  sync
  mv -T -- "$2.new" "$2"
  sync -- "${2%/*}"
  rm -f -- "$2.try"
  sync -- "${2%/*}"
}

# rp_gone NAME RECORD FIRST: refuses while a container was made of it, running or not.
rp_gone() {
  if rp_is=$(docker image inspect -f '{{.Id}}' -- "$1" 2>/dev/null); then
    rp_all=$(docker ps -aq --no-trunc)
    rp_users=
    for rp_one in $rp_all; do
      # One that goes meanwhile uses nothing.
      rp_of=$(docker container inspect -f '{{.Image}} {{.Name}}' -- "$rp_one" 2>/dev/null) || continue
      case $rp_of in "$rp_is "*) rp_users="$rp_users ${rp_of#* /}" ;; esac
    done
    [ -z "$rp_users" ] || rp_fail "the image $1 is in use by$rp_users; remove them first"
    docker image rm -- "$1" >/dev/null
  fi
  rp_clean "$1" "$2" "$3"
  rm -f -- "$2" "$2.try"
}
