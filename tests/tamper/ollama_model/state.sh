# expect: ollama_model:gone:1b in /srv/models
# field: state
cd /srv/models/manifests/registry.ollama.ai/library; mkdir -p gone; cp tiny/1b gone/1b
