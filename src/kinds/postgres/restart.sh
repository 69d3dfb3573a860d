# rp_pg_restart PORT: restarts the cluster of a port, and insists that it answers again.
rp_pg_restart() {
  rp_cluster=$(pg_lsclusters -h | awk -v port="$1" '$3 == port { print $1 "-" $2; exit }')
  if [ -z "$rp_cluster" ]; then echo "pg_lsclusters knows no cluster at port $1" >&2; return 1; fi
  systemctl restart -- "postgresql@$rp_cluster.service" || return 1
  rp_tries=0
  until printf 'SELECT 1' | rp_psql "$1" postgres '' >/dev/null 2>&1; do
    rp_tries=$((rp_tries + 1))
    if [ "$rp_tries" -gt 60 ]; then echo "the cluster $rp_cluster does not answer after its restart" >&2; return 1; fi
    sleep 0.5
  done
}

# rp_pg_try PORT: the same; where it does not come up with what was set, the old settings are put back first.
rp_pg_try() {
  if rp_pg_restart "$1"; then rm -f -- "$rp_auto.rempart"; return; fi
  mv -T -- "$rp_auto.rempart" "$rp_auto"
  rp_pg_restart "$1" || echo 'nor with the old settings' >&2
  echo 'the old settings stay' >&2
  exit 1
}

# rp_pg_keep PORT: keeps the file that ALTER SYSTEM writes.
rp_pg_keep() {
  rp_auto=$(printf 'SHOW data_directory' | rp_psql "$1" postgres '' | tr -d '\0')/postgresql.auto.conf
  rm -f -- "$rp_auto.rempart"
  cp -a -- "$rp_auto" "$rp_auto.rempart"
}
