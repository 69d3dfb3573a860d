# Steps of a container, on the target. rp_new (made by the kind) creates a container under the name given to it.
rp_say() { printf '%s\n' "$*" >&2; }
rp_is_there() { docker container inspect -- "$1" >/dev/null 2>&1; }

# rp_network NAME: an internal network of this name: one without a way out.
rp_network() {
  if rp_internal=$(docker network inspect -f '{{.Internal}}' -- "$1" 2>/dev/null); then
    [ "$rp_internal" = true ] && return 0
    rp_say "the network $1 is there already and is not internal; remove it, or use another name"
    exit 1
  fi
  docker network create --internal -- "$1" >/dev/null
}

# rp_wait NAME SECONDS: until it runs, stays so for a moment, and is healthy where it says how it is.
rp_wait() {
  rp_until=$(($(date +%s) + $2))
  sleep 1
  while :; do
    rp_is=$(docker container inspect -f '{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' \
      -- "$1") || return 1
    case "$rp_is" in
      "running 0 " | "running 0 healthy") return 0 ;;
      "running 0 starting") ;;
      *) break ;;
    esac
    [ "$(date +%s)" -lt "$rp_until" ] || break
    sleep 1
  done
  rp_say "$1 does not stay up: $(docker container inspect -f \
    '{{.State.Status}}, exit code {{.State.ExitCode}} {{.State.Error}}{{if .State.Health}}, {{.State.Health.Status}}{{end}}' \
    -- "$1")"
  docker logs --tail 8 -- "$1" >&2 || :
  return 1
}

# rp_start NAME SECONDS: one that is only on its way gets its time; else it is started anew.
rp_start() {
  case "$(docker container inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' -- "$1")" in
    "running starting") rp_wait "$1" "$2" && return 0 ;;
    paused*) docker unpause -- "$1" >/dev/null ;;
  esac
  docker restart -- "$1" >/dev/null && rp_wait "$1" "$2"
}

# rp_replace NAME running|stopped SECONDS: the new one is created first, beside the old: what docker refuses leaves the
# old one running. They cannot run together, since both want the same ports and files; so the old one is stopped last,
# kept under another name, and comes back if the new one does not stay up.
rp_replace() {
  docker rm -f -- "$1.rempart-new" >/dev/null 2>&1 || :
  if rp_is_there "$1.rempart-old"; then
    # Left by a run that died here.
    if rp_is_there "$1"; then docker rm -f -- "$1.rempart-old" >/dev/null
    else docker rename "$1.rempart-old" "$1"; fi
  fi
  rp_new "$1.rempart-new" >/dev/null || {
    docker rm -f -- "$1.rempart-new" >/dev/null 2>&1 || :
    rp_say "docker refuses the new $1; nothing was changed"
    exit 1
  }
  rp_ran=false
  if rp_is_there "$1"; then
    rp_ran=$(docker container inspect -f '{{.State.Running}}' -- "$1")
    docker stop -- "$1" >/dev/null
    docker rename "$1" "$1.rempart-old"
  fi
  docker rename "$1.rempart-new" "$1"
  if [ "$2" = running ]; then
    if ! { docker start -- "$1" >/dev/null && rp_wait "$1" "$3"; }; then
      docker rm -f -- "$1" >/dev/null
      if rp_is_there "$1.rempart-old"; then
        docker rename "$1.rempart-old" "$1"
        [ "$rp_ran" = false ] || docker start -- "$1" >/dev/null
        rp_say "the old $1 is back"
      fi
      exit 1
    fi
  fi
  if rp_is_there "$1.rempart-old"; then docker rm -- "$1.rempart-old" >/dev/null; fi
}
