# expect: ollama_model:tiny:1b in /srv/models
# field: manifest
sed -i 's/ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356/0000000000000000000000000000000000000000000000000000000000000000/' /srv/models/manifests/registry.ollama.ai/library/tiny/1b
