# expect: postgres_role:rp app "q"
# field: member_of.rp_group
cd /; setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -v ON_ERROR_STOP=1 <<'END'
REVOKE rp_group FROM "rp app ""q""";
END
