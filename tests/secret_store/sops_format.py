"""SOPS's YAML with age, and rempart's seal, written from their descriptions; it shares no code with rempart.

Reads a list of jobs as JSON from standard input and prints a list of answers. What fails answers {"error": ...}.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import struct
import sys

import pyrage
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ENC = re.compile(r"^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]$")
RULES = ["unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex"]


def b64(data):
    return base64.b64encode(data).decode()


# --- values -----------------------------------------------------------------------------------------------------------


def as_bytes(value):
    """A value as it is encrypted and hashed."""
    if isinstance(value, bool):
        return "bool", b"True" if value else b"False"
    if isinstance(value, int):
        return "int", str(value).encode()
    if isinstance(value, float):
        text = format(value, "f") if abs(value) >= 1e16 else repr(value)
        if "e" in text:
            text = format(value, ".20f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return "float", text.encode()
    return "str", value.encode()


def resolve(text):
    """A plain scalar, as Go's yaml.v3 takes it."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    bare = text.replace("_", "")
    for pattern, base in [
        (r"[-+]?0[xX][0-9a-fA-F]+", 16),
        (r"[-+]?0[oO][0-7]+", 8),
        (r"[-+]?0[bB][01]+", 2),
        (r"[-+]?0[0-7]+", 8),
        (r"[-+]?(0|[1-9][0-9]*)", 10),
    ]:
        if text[0] in "+-0123456789" and re.fullmatch(pattern, bare):
            return int(bare, base) if base != 8 or "o" in bare.lower() else int(bare.replace("0", "0o0", 1), 8)
    if text[0] in "+-.0123456789" and re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", bare):
        return float(bare)
    return text


def encrypt(value, key, path, kind=None):
    kind_of, data = as_bytes(value)
    if not data:
        return ""
    iv = os.urandom(32)
    sealed = AESGCM(key).encrypt(iv, data, path.encode())
    return f"ENC[AES256_GCM,data:{b64(sealed[:-16])},iv:{b64(iv)},tag:{b64(sealed[-16:])},type:{kind or kind_of}]"


def decrypt(text, key, path):
    if text == "":
        return "str", b""
    found = ENC.match(text)
    if not found:
        raise ValueError("not encrypted")
    data, iv, tag = (base64.b64decode(found[at]) for at in (1, 2, 3))
    return found[4], AESGCM(key).decrypt(iv, data + tag, path.encode())


def takes(meta, keys):
    """Whether a value under these keys is encrypted."""
    encrypted = True
    if meta.get("unencrypted_suffix"):
        encrypted = not any(key.endswith(meta["unencrypted_suffix"]) for key in keys)
    if meta.get("encrypted_suffix"):
        encrypted = any(key.endswith(meta["encrypted_suffix"]) for key in keys)
    if meta.get("unencrypted_regex"):
        encrypted = not any(re.search(meta["unencrypted_regex"], key) for key in keys)
    if meta.get("encrypted_regex"):
        encrypted = any(re.search(meta["encrypted_regex"], key) for key in keys)
    return encrypted


def joined(path):
    return ":".join(step for step in path if isinstance(step, str)) + ":"


def new_mac(meta):
    digest = hashlib.sha512()
    if meta.get("mac_only_encrypted"):
        digest.update(hashlib.sha256(b"sops").digest())
    return digest


# --- reading ----------------------------------------------------------------------------------------------------------


def parts(node, path):
    """Every part of a document in order: path, and None for maps, [] for lists, or the scalar's node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from part(value, path + [key.value])
    else:
        for at, value in enumerate(node.value):
            yield from part(value, path + [at])


def part(node, path):
    if isinstance(node, yaml.ScalarNode):
        yield path, node
        return
    yield path, ({} if isinstance(node, yaml.MappingNode) else [])
    yield from parts(node, path)


def scalar(node):
    return resolve(node.value) if node.style is None else node.value


def data_key(meta, identity):
    if identity.startswith("-----BEGIN"):
        key = pyrage.ssh.Identity.from_buffer(identity.encode())
    else:
        key = pyrage.x25519.Identity.from_str(identity)
    for entry in meta["age"]:
        try:
            return pyrage.decrypt(entry["enc"].encode(), [key])
        except pyrage.DecryptError:
            pass
    raise ValueError("no entry opens")


def read(job):
    root = yaml.compose(job["text"], Loader=yaml.SafeLoader)
    meta = yaml.load(job["text"], Loader=yaml.BaseLoader)["sops"]
    meta["mac_only_encrypted"] = meta.get("mac_only_encrypted") == "true"
    if not any(meta.get(rule) for rule in RULES):
        meta["unencrypted_suffix"] = "_unencrypted"
    key = data_key(meta, job["identity"])
    digest, values, whole = new_mac(meta), [], []
    for path, node in parts(root, []):
        if path[0] == "sops":
            continue
        if not isinstance(node, yaml.ScalarNode):
            whole.append((path, "map" if node == {} else "list", b""))
            continue
        keys = [step for step in path if isinstance(step, str)]
        encrypted = takes(meta, keys)
        value = scalar(node)
        if value is None:
            values.append([path, "null", ""])
            whole.append((path, "null", b""))
            continue
        kind, data = decrypt(value, key, joined(path)) if encrypted else as_bytes(value)
        if encrypted or not meta["mac_only_encrypted"]:
            digest.update(data)
        values.append([path, kind, data.decode()])
        whole.append((path, kind, data))
    _, stored = decrypt(meta["mac"], key, meta["lastmodified"])
    if stored.decode() != digest.hexdigest().upper():
        raise ValueError("MAC mismatch")
    return meta, key, values, whole


def op_decrypt(job):
    meta, key, values, _ = read(job)
    comments = []
    paths = {joined(path[:depth]) for path, _, _ in values for depth in range(len(path) + 1)}
    body = job["text"].split("\nsops:\n")[0]
    for text in re.findall(r"#(ENC\[.*?\])", body):
        for path in paths:
            try:
                comments.append(decrypt(text, key, path)[1].decode())
                break
            except Exception:
                continue
    return {"values": values, "comments": comments, "recipients": [entry["recipient"] for entry in meta["age"]]}


# --- rempart's seal ---------------------------------------------------------------------------------------------------


def framed(data):
    return struct.pack(">Q", len(data)) + data


def listed(texts):
    return b"".join(framed(text) for text in texts)


def derive(key, purpose):
    return HKDFExpand(hashes.SHA256(), 32, purpose).derive(key)


def op_seal(job):
    """The seal that the file should bear, and the one it does."""
    meta, _, values, whole = read(job)
    found = next(text for path, _, text in values if path == ["rempart_seal"])
    project = base64.b64decode(job["project_key"])
    generation = int(found.split(".")[1])
    rule = next(rule for rule in RULES if meta.get(rule))
    content = b""
    for path, kind, data in whole:
        if path[0] == "rempart_seal":
            continue
        steps = [b"k" + step.encode() if isinstance(step, str) else b"i%d" % step for step in path]
        content += framed(listed(steps)) + framed(kind.encode())
        if kind not in ("map", "list"):
            content += framed(data)
    contents = [
        job["name"].encode(),
        listed(entry["recipient"].encode() for entry in meta["age"]),
        listed([rule.encode(), meta[rule].encode(), b"1" if meta["mac_only_encrypted"] else b"0"]),
        content,
    ]
    key, number = derive(project, b"rempart v1 seal"), struct.pack(">Q", generation)
    mac = lambda data: hmac.new(key, data, hashlib.sha256).digest()
    macs = mac(b"whole" + framed(number) + b"".join(framed(one) for one in contents))
    for at, one in enumerate(contents):
        macs += mac(b"part" + framed(number) + bytes([at]) + framed(one))[:8]
    text = base64.b64encode(macs).decode().rstrip("=")
    wanted = f"v1.{generation}.{derive(project, b'rempart v1 id').hex()[:16]}.{text}"
    return {"wanted": wanted, "found": found}


# --- writing ----------------------------------------------------------------------------------------------------------


def spell_key(key):
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else json.dumps(key, ensure_ascii=False)


def spell(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return value if value.startswith("ENC[") and ENC.match(value) else json.dumps(value, ensure_ascii=False)


def lines_of(tree, path, meta, key, digest, indent):
    pad = " " * indent
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in items:
        if isinstance(name, str) and name.startswith("#"):
            text = encrypt(value, key, joined(path), "comment") if takes(meta, path) else value
            yield f"{pad}#{text}"
            continue
        start = f"{pad}{spell_key(name)}:" if isinstance(name, str) else f"{pad}-"
        here = path + [name]
        if isinstance(value, (dict, list)):
            if not value:
                yield f"{start} " + ("{}" if value == {} else "[]")
            elif isinstance(name, int):
                inner = list(lines_of(value, here, meta, key, digest, indent + 2))
                yield f"{start} {inner[0].lstrip()}"
                yield from inner[1:]
            else:
                yield start
                yield from lines_of(value, here, meta, key, digest, indent + 4)
            continue
        keys = [step for step in here if isinstance(step, str)]
        encrypted = value is not None and takes(meta, keys)
        if value is not None and (encrypted or not meta.get("mac_only_encrypted")):
            digest.update(as_bytes(value)[1])
        yield f"{start} {spell(encrypt(value, key, joined(here)) if encrypted else value)}"


def op_encrypt(job):
    meta = dict(job.get("meta", {}))
    if not any(meta.get(rule) for rule in RULES):
        meta["unencrypted_suffix"] = "_unencrypted"
    key, digest, when = os.urandom(32), new_mac(meta), "2024-02-03T04:05:06Z"
    body = list(lines_of(job["tree"], [], meta, key, digest, 0))
    mac = encrypt(digest.hexdigest().upper(), key, when)
    version = job["version"]
    minor = int(version.split(".")[1])
    out = ["sops:"]
    # Up to 3.9 the lists of other kinds are written though they are empty; later versions leave them out, and some
    # write an entry's fields in the order of the alphabet.
    if minor < 10:
        out += ["    kms: []", "    gcp_kms: []", "    azure_kv: []", "    hc_vault: []"]
    out.append("    age:")
    for recipient in job["recipients"]:
        parsed = pyrage.ssh.Recipient if recipient.startswith("ssh-") else pyrage.x25519.Recipient
        armored = pyrage.encrypt(key, [parsed.from_str(recipient)], armored=True).decode().rstrip("\n")
        block = ["enc: |"] + ["  " + line for line in armored.split("\n")]
        fields = [[f"recipient: {recipient}"], block]
        if minor > 12:
            fields.reverse()
        all_lines = [line for field in fields for line in field]
        out += [f"        - {all_lines[0]}"] + [f"          {line}" for line in all_lines[1:]]
    out += [f'    lastmodified: "{when}"', f"    mac: {mac}"]
    for other in job.get("pgp", []):
        out += ["    pgp:", '        - created_at: "2024-01-01T00:00:00Z"', "          enc: |-"]
        out += ["            -----BEGIN PGP MESSAGE-----", "", "            hQ==", "            -----END PGP MESSAGE-----"]
        out += [f"          fp: {other}"]
    if minor < 10 and not job.get("pgp"):
        out.append("    pgp: []")
    out += [f"    {rule}: {meta[rule]}" for rule in RULES if meta.get(rule)]
    if meta.get("mac_only_encrypted"):
        out.append("    mac_only_encrypted: true")
    out += job.get("extra", [])
    out.append(f"    version: {version}")
    return {"text": "\n".join(body + out) + "\n"}


def op_set(job):
    """One value set as SOPS would: the value, the time, the MAC; the rest as it was."""
    meta, key, values, _ = read(job)
    text, when, digest = job["text"], "2025-01-01T00:00:00Z", new_mac(meta)
    marks = {tuple(path): node for path, node in parts(yaml.compose(text), []) if isinstance(node, yaml.ScalarNode)}
    for path, kind, data in values:
        if path == job["path"]:
            data = job["value"]
        encrypted = takes(meta, [step for step in path if isinstance(step, str)])
        if kind != "null" and (encrypted or not meta["mac_only_encrypted"]):
            digest.update(data.encode())
    edits = {
        tuple(job["path"]): encrypt(job["value"], key, joined(job["path"])),
        ("sops", "lastmodified"): f'"{when}"',
        ("sops", "mac"): encrypt(digest.hexdigest().upper(), key, when),
    }
    for path, new in sorted(edits.items(), key=lambda edit: -marks[edit[0]].start_mark.index):
        text = text[: marks[path].start_mark.index] + new + text[marks[path].end_mark.index :]
    return {"text": text}


def op_keys(_job):
    identity = pyrage.x25519.Identity.generate()
    return {"identity": str(identity), "recipient": str(identity.to_public())}


def main():
    answers = []
    for job in json.load(sys.stdin):
        try:
            answers.append(globals()["op_" + job["op"]](job))
        except Exception as error:  # the answer of a job that fails is that it does
            answers.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(answers, sys.stdout)


main()
