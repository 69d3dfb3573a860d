# expect: ollama_model:tiny:1b in /srv/models
# field: mode
chmod 0644 /srv/models/blobs/sha256-48921577d2c88b400d6023d53a85dc13c1fe6a4c5d3df4b9dddde3ef47508d6b
