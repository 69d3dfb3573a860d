# expect: docker_compose:tamper in /srv/tamper
# field: services
# Made by Compose, from another file of the same project.
cd /srv/tamper && sed s/2000/3000/ compose.yaml > other.yaml && docker-compose -p tamper -f other.yaml up -d && rm other.yaml
