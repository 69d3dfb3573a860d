# expect: docker_compose:tamper in /srv/tamper
# field: compose
sed -i s/2000/3000/ /srv/tamper/compose.yaml
