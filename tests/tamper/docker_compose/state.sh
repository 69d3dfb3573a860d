# expect: docker_compose:tamper in /srv/tamper
cd /srv/tamper && docker-compose -p tamper -f compose.yaml down && rm compose.yaml .env
