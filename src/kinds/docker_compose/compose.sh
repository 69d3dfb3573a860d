# rp_compose ARGUMENTS: Compose of either generation: docker's plugin, or the program of its own.
rp_compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"
  elif command -v docker-compose >/dev/null 2>&1; then docker-compose "$@"
  else echo "compose is not installed" >&2; return 127; fi
}

# rp_project NAME DIRECTORY ARGUMENTS: with the project's files.
rp_project() {
  rp_name=$1 rp_at=$2; shift 2
  if [ -e "$rp_at/.env" ]; then set -- --env-file "$rp_at/.env" "$@"; fi
  rp_compose -p "$rp_name" --project-directory "$rp_at" -f "$rp_at/compose.yaml" "$@"
}

# rp_services NAME DIRECTORY: what the file wants, `want SERVICE HASH`, and what is there, `is SERVICE STATE HASH`.
rp_services() {
  command -v docker >/dev/null 2>&1 || { echo "docker is not installed" >&2; return 127; }
  rp_compose version >/dev/null 2>&1 || rp_compose || return
  rp_is=$(docker ps -a --no-trunc --filter "label=com.docker.compose.project=$1" --format \
    'is {{.Label "com.docker.compose.service"}} {{.State}} {{.Label "com.docker.compose.config-hash"}}') || return
  rp_nets=$(docker network ls --no-trunc --filter "label=com.docker.compose.project=$1" --format 'network {{.Name}}') || return
  rp_want=
  if [ -e "$2/compose.yaml" ]; then rp_want=$(rp_project "$1" "$2" config --hash '*') || return; fi
  echo begin
  [ -z "$rp_is" ] || printf '%s\n' "$rp_is"
  [ -z "$rp_nets" ] || printf '%s\n' "$rp_nets"
  [ -z "$rp_want" ] || printf '%s\n' "$rp_want" | sed 's/^/want /'
  echo end
}
