# expect: docker_compose:tamper in /srv/tamper
# field: env.mode
chmod 0644 /srv/tamper/.env
