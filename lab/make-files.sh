#!/bin/sh
# Makes what the lab serves to its hosts in the place of downloads, in lab/files, and notes the sha256 of what it made in
# inventories/group_vars/ollama/lab-files.yaml. Both are ignored by git: they depend on this machine's Debian release.
set -eu
cd "$(dirname "$0")"
files=$PWD/files
noted=$PWD/../inventories/group_vars/ollama/lab-files.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# pack DIR: a tar of what is in it on stdout, the same bytes whoever runs it, and whenever.
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C "$1" -cf - .; }

# What a registry serves: each layer of a model under its own sha256.
blobs=$files/v2/library/stand-in/blobs
mkdir -p "$blobs"
for layer in "$files/stand-in-model.gguf" "$files/stand-in-config.json"; do
  cp "$layer" "$blobs/sha256:$(sha256sum "$layer" | cut -d ' ' -f 1)"
done

# The server's archive, with the program where a release of Ollama has it.
mkdir -p "$work/release/bin"
install -m 755 "$files/ollama-stand-in" "$work/release/bin/ollama"
pack "$work/release" | gzip -n > "$work/ollama-stand-in.tar.gz"

# The container's image: one static program out of Debian's archive, and a script.
(cd "$work" && apt-get -q download busybox-static >"$work/said" 2>&1) || {
  cat "$work/said" >&2
  echo "busybox-static could not be downloaded: is there a Debian archive in apt's sources (try apt-get update)?" >&2
  exit 1
}
dpkg-deb -x "$work"/busybox-static_*.deb "$work/deb"
image=$work/image
mkdir -p "$image/bin" "$image/etc" "$image/www/api" "$image/models" "$image/tmp" "$image/home/ollama"
install -m 755 "$(find "$work/deb" -type f -path "*bin/busybox")" "$image/bin/busybox"
for name in sh httpd wget ls cat id mkdir touch sleep; do ln -s busybox "$image/bin/$name"; done
install -m 755 "$files/container-ollama" "$image/bin/ollama"
printf 'root:x:0:0::/:/bin/sh\nollama-user:x:1001:1001::/home/ollama:/bin/sh\n' > "$image/etc/passwd"
printf 'root:x:0:\nollama-user:x:1001:\n' > "$image/etc/group"
printf '{"version":"0.0.0-stand-in"}' > "$image/www/api/version"
printf '{"models":[]}' > "$image/www/api/tags"
pack "$image" > "$work/ollama-image.tar"

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
mv "$work/ollama-stand-in.tar.gz" "$work/ollama-image.tar" "$files/"
chmod 644 "$files/ollama-stand-in.tar.gz" "$files/ollama-image.tar"
cat > "$noted" <<END
# Written by lab/make-files.sh; not kept in git.
ollama_sha256: $(sum "$files/ollama-stand-in.tar.gz")
ollama_image_sha256: $(sum "$files/ollama-image.tar")
END
