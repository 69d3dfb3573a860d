# expect: postgres_database:rp app
# field: owner
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER DATABASE "rp app" OWNER TO rp_other;
END
