# expect: postgres_setting:shared_preload_libraries
# field: value
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET shared_preload_libraries = 'auto_explain';
END
