# expect: postgres_role:rp app "q"
# field: connection_limit
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER ROLE "rp app ""q""" CONNECTION LIMIT -1;
END
