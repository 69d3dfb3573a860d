# expect: docker_compose:tamper-gone in /srv/tamper-gone
docker network create --label com.docker.compose.project=tamper-gone tamper-gone_default
