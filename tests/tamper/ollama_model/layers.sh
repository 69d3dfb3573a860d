# expect: ollama_model:tiny:1b in /srv/models
# field: layers.48921577d2c88b400d6023d53a85dc13c1fe6a4c5d3df4b9dddde3ef47508d6b
# One byte of many, with the old time of change.
touch -r /srv/models/blobs/sha256-48921577d2c88b400d6023d53a85dc13c1fe6a4c5d3df4b9dddde3ef47508d6b /srv/then; printf y | dd of=/srv/models/blobs/sha256-48921577d2c88b400d6023d53a85dc13c1fe6a4c5d3df4b9dddde3ef47508d6b bs=1 seek=35000000 conv=notrunc status=none
touch -r /srv/then /srv/models/blobs/sha256-48921577d2c88b400d6023d53a85dc13c1fe6a4c5d3df4b9dddde3ef47508d6b; rm /srv/then
