# expect: postgres_setting:statement_timeout
# field: state
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET statement_timeout = '1h';
END
