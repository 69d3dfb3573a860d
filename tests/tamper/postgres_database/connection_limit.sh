# expect: postgres_database:rp app
# field: connection_limit
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER DATABASE "rp app" CONNECTION LIMIT -1;
END
