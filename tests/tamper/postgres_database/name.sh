# expect: postgres_database:rp app
# field: name
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
DROP DATABASE "rp app";
END
