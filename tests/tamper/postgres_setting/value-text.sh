# expect: postgres_setting:log_line_prefix
# field: value
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET log_line_prefix = '%m ';
END
