# expect: docker_container:tamper-offline
# field: env.OLLAMA_MODELS
docker rm -f tamper-offline
docker run -d --name tamper-offline \
  --memory=64m \
  --cpus=0.5 \
  --pids-limit=50 \
  --network=none \
  --read-only \
  --tmpfs=/tmp:rw,size=2m \
  --cap-drop=ALL \
  --cap-add=CHOWN \
  --security-opt=no-new-privileges \
  --volume=/srv/tamper-models:/models:ro \
  --env=OLLAMA_MODELS=/elsewhere --env=HOME=/tmp \
  --user=1000:1000 \
  --restart=unless-stopped \
  --log-driver=local \
  --log-opt=max-size=1m \
  --health-cmd=true \
  --health-interval=2s \
  --label=managed=rempart \
  --hostname=tamper \
  --init \
  --ulimit=nofile=100:200 \
  tamper:1 sleep 5000
