# expect: postgres_role:rp app "q"
# field: password
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
ALTER ROLE "rp app ""q""" PASSWORD 'another one';
END
