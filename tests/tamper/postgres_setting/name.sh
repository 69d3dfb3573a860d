# expect: postgres_setting:work_mem
# field: name
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM RESET work_mem;
END
