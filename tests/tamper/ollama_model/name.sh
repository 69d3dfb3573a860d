# expect: ollama_model:tiny:1b in /srv/models
# field: manifest
rm /srv/models/manifests/registry.ollama.ai/library/tiny/1b
