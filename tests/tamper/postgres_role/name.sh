# expect: postgres_role:rp_group
# field: name
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
DROP ROLE rp_group;
END
