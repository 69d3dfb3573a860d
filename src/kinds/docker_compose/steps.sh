# rp_down NAME: what `compose down` does, without a file: containers and networks go, volumes stay.
rp_down() {
  rp_ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$1") || return 1
  if [ -n "$rp_ids" ]; then docker stop $rp_ids >/dev/null && docker rm -f $rp_ids >/dev/null || return 1; fi
  rp_ids=$(docker network ls -q --no-trunc --filter "label=com.docker.compose.project=$1") || return 1
  if [ -n "$rp_ids" ]; then docker network rm $rp_ids >/dev/null || return 1; fi
}

# rp_up NAME DIRECTORY SECONDS: brings all up, and insists that they stay so for a moment.
rp_up() {
  rp_project "$1" "$2" up -d --remove-orphans || return 1
  rp_until=$(($(date +%s) + $3))
  sleep 2
  while :; do
    rp_bad=$(docker ps -a --filter "label=com.docker.compose.project=$1" --format \
      '{{.Label "com.docker.compose.service"}}: {{.Status}}' | grep -v ': Up [^(]*\((healthy)\)\{0,1\}$') || return 0
    case $rp_bad in *"health: starting"*) ;; *) break ;; esac
    [ "$(date +%s)" -lt "$rp_until" ] || break
    sleep 1
  done
  printf 'it does not stay up: %s\n' "$rp_bad" >&2
  return 1
}
