# expect: archive:/srv/things
# restore: rm /usr/local/sbin/head
cat > /usr/local/sbin/head <<'END'
#!/bin/sh
case "$*" in *.rempart.archive*) echo "head: Input/output error" >&2; exit 1 ;; esac
exec /usr/bin/head "$@"
END
chmod 0755 /usr/local/sbin/head
