# expect: ollama_model:tiny:1b in /srv/models
# field: layers.ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356
printf '[]\n' > /srv/models/blobs/sha256-ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356
