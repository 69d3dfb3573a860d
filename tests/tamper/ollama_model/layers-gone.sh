# expect: ollama_model:tiny:1b in /srv/models
# field: layers.95c867b41018e30a40ecf4af4d307abdc02b5ca5f18d6b46dc786dc9dce1c53c
rm /srv/models/blobs/sha256-95c867b41018e30a40ecf4af4d307abdc02b5ca5f18d6b46dc786dc9dce1c53c
