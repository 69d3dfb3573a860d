# expect: postgres_database:rp app
# field: public
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
GRANT CONNECT ON DATABASE "rp app" TO PUBLIC;
END
