# expect: ollama_model:tiny:1b in /srv/models
# field: layers
rm -r /srv/models
