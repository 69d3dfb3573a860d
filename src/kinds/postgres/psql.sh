# rp_psql PORT DATABASE OPTIONS: runs the SQL on standard input as postgres, over the local socket. Whatever the caller's
# environment or a .psqlrc says does not count; a NUL ends every field.
rp_psql() {
  command -v psql >/dev/null || { echo 'psql is not installed' >&2; return 127; }
  ( cd / && exec env -i PATH="$PATH" LC_ALL=C PGCLIENTENCODING=UTF8 PGAPPNAME=rempart PGCONNECT_TIMEOUT=10 PGOPTIONS="$3" \
    setpriv --reuid=postgres --regid=postgres --init-groups -- \
    psql -X -A -t -q -z -0 -w -v ON_ERROR_STOP=1 -h /var/run/postgresql -p "$1" -d "$2" -f - )
}
