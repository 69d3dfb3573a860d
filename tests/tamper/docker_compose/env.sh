# expect: docker_compose:tamper in /srv/tamper
# field: env
sed -i s/secret/known/ /srv/tamper/.env
