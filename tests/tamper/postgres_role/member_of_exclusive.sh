# expect: postgres_role:rp app "q"
# field: member_of.others
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
GRANT pg_read_all_data TO "rp app ""q""";
END
