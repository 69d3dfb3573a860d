# Steps of a network. rp_new NAME (made by the kind) creates it as wanted, rp_old NAME as it was seen.
rp_say() { printf '%s\n' "$*" >&2; }

# rp_free NAME: refuses while a container belongs to it, running or not: a stopped one would not start again.
rp_free() {
  rp_in=$(docker ps -a --no-trunc --filter "network=$1" --format '{{.Names}}') || exit 1
  [ -z "$rp_in" ] || {
    rp_say "the network $1 is in use by $(printf '%s\n' "$rp_in" | sort | paste -sd, | sed 's/,/, /g'); remove them first"
    exit 1
  }
}

# rp_remove NAME
rp_remove() { rp_free "$1" && docker network rm -- "$1" >/dev/null; }

# rp_remake NAME: two networks cannot have the same addresses, so the old one goes first; it comes back if docker refuses
# the new one.
rp_remake() {
  rp_remove "$1" || exit 1
  rp_new "$1" >/dev/null || {
    if rp_old "$1" >/dev/null; then rp_say "docker refuses the new network $1; the old one is back"
    else rp_say "docker refuses the new network $1, and the old one too"; fi
    exit 1
  }
}

# rp_again NAME: for the way back.
rp_again() {
  if docker network inspect -- "$1" >/dev/null 2>&1; then rp_remove "$1" || exit 1; fi
  rp_old "$1" >/dev/null
}
