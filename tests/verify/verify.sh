#!/bin/sh
# Runs inside of the lab's network, with the lab's key and known hosts in the environment. $1: a Python with pytest and testinfra.
set -eu
cd "$(dirname "$0")"
# Of this run alone: a connection that is left of another lab leads to another machine of the same address.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
VERIFY_SSH=$folder/config
cat > "$VERIFY_SSH" <<END
Host *
  User admin
  IdentityFile $REMPART_PRIVATE_KEY
  IdentitiesOnly yes
  UserKnownHostsFile $REMPART_KNOWN_HOSTS
  StrictHostKeyChecking yes
  ControlMaster auto
  ControlPath $folder/%C
  ControlPersist 30
END
export VERIFY_SSH
# To take each protection away takes minutes: it is a campaign of its own.
if [ -n "${REMPART_PROTECTIONS:-}" ]; then what=test_protections.py; else what=--ignore=test_protections.py; fi
"$1" -m pytest -p no:cacheprovider -q -rA --tb=short "$what" || exit $?
