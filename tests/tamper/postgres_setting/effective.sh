# expect: postgres_setting:work_mem
# field: effective
# Written by hand, and nobody told the server.
sed -i "s/^work_mem.*/work_mem = '16384'/" /var/lib/postgresql/15/main/postgresql.auto.conf
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET work_mem = '8MB';
END
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
SELECT pg_reload_conf();
END
sleep 1
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET work_mem = '16384';
END
