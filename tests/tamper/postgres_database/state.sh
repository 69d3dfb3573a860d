# expect: postgres_database:rp_gone
# field: state
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
CREATE DATABASE rp_gone;
END
