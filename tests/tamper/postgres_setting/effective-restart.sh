# expect: postgres_setting:max_connections
# field: effective
# In its file, and the server runs on another one.
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET max_connections = 66;
END
systemctl restart postgresql@15-main
sleep 2
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER SYSTEM SET max_connections = 55;
END
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
SELECT pg_reload_conf();
END
sleep 1
