# expect: postgres_setting:log_connections
# field: value
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET log_connections = 'off';
END
