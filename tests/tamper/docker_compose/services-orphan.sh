# expect: docker_compose:tamper in /srv/tamper
# field: services
docker run -d --name tamper-old --network none --label com.docker.compose.project=tamper --label com.docker.compose.service=old --label com.docker.compose.config-hash=x --label com.docker.compose.oneoff=False --label com.docker.compose.container-number=1 tamper:1
