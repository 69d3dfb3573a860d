# expect: docker_compose:tamper in /srv/tamper
# field: services
docker stop --time=0 tamper_job_1
