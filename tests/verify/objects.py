#!/usr/bin/env python3
"""What stands on a machine, object by object, and whether each object is old or new. No line of rempart's is used.

    objects.py record PID FILE            notes every object of the machine whose process 1 is PID
    objects.py judge GOLDEN STATE BASE REACHED   GOLDEN: a folder with what an undisturbed run left after each step
                                          STATE: after a fault, in a run that began with golden state number BASE, and
                                          whose steps up to number REACHED were done, and said so, before the fault
    objects.py judge GOLDEN STATE new     STATE: after the plain run that must have repaired it
    objects.py snap PID FILE TITLE        as `record`, with the title of the step that has just ended

An object is a path with its type, mode, owner and content; a package, a unit, a kernel setting, a chain of the firewall,
an image or a container of Docker. A verdict is printed as JSON; the status is 1 if it holds a fault.
"""
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import time

TREES = ["/etc", "/srv", "/opt", "/usr/local", "/root", "/home", "/var/cache/ollama"]
NODES = ["/var/log/journal", "/var/lib/ollama", "/var/lib/rempart", "/var/cache", "/var/lib", "/var", "/usr", "/"]

# Not looked at, each with its reason.
IGNORED = {
    "/usr/local/sbin/sync": "holds the machine still for the campaign",
    "/usr/local/sbin/timeout": "holds the machine still for the campaign",
    "/home/admin/.sudo_as_admin_successful": "sudo's note of a first login",
    "/etc/.pwd.lock": "a lock without content",
    "/etc/ld.so.cache": "rebuilt by whoever installs a library; its loss costs time, not meaning",
}
# Random by nature: there or not, and for whom, but not what is in it.
WITHOUT_CONTENT = {"/etc/docker/key.json"}
# Made by Docker's daemon when it starts, and its package has it started at boot: a power cut before our own step starts it.
BY_DAEMONS = {"path /etc/docker/key.json", "path /etc/cni", "path /etc/cni/net.d"}
# What containerd makes when a boot starts it on a configuration that came out empty, and what nobody takes away again.
OF_EMPTY_CONFIG = {"path /opt/containerd", "path /opt/containerd/bin", "path /opt/containerd/lib"}
# Accounts: each line is an object of its own, since steps that do not depend on one another may come in any order.
ACCOUNTS = re.compile(r"/etc/(passwd|shadow|group|gshadow|subuid|subgid)$")
# What their tools keep of the version before: there or not, and for whom.
BACKUPS = re.compile(r"/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$")
# The guard's own units, which come and go with a risky step.
GUARD = re.compile(r"/etc/systemd/system/(sysinit\.target\.wants/)?rempart-guard[^/]*$")
# Beside the place where it will stand: written by a step that was not at its end.
# What an archive notes beside its files stays; an image comes under a first name; the last is what the tools of accounts write
# before they rename it.
TEMPORARY = re.compile(r"/\.rempart\.(?!archive$)[^/]*(/|$)|^image rempart-new:|^path /etc/(passwd|shadow|group|gshadow|subuid|subgid)\+$")
OF_DPKG = re.compile(r"\.(dpkg|ucf)-(new|tmp|old|dist)$")

UNITS = ["ssh.service", "ufw.service", "docker.service", "docker.socket", "containerd.service",
         "unattended-upgrades.service", "apt-daily.timer", "apt-daily-upgrade.timer", "ollama.service",
         "check-isolation.service", "check-isolation.timer", "verify-models.service", "verify-models.timer"]
KERNEL = ["net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.accept_redirects",
          "net.ipv4.conf.default.accept_redirects", "net.ipv6.conf.all.accept_redirects",
          "net.ipv6.conf.default.accept_redirects", "net.ipv4.conf.all.send_redirects",
          "net.ipv4.conf.all.accept_source_route", "net.ipv4.tcp_syncookies",
          "net.ipv4.icmp_echo_ignore_broadcasts"]

ASK = r"""
exec 2>/dev/null
echo '== packages'; dpkg-query -W -f '${Package} ${db:Status-Abbrev}${Version}\n'
echo '== audit'; dpkg --audit
echo '== units'
for unit in %(units)s; do
  echo "$unit $(systemctl is-enabled "$unit" || :) $(systemctl show -P ActiveState "$unit") $(systemctl show -P Type "$unit")"
done
echo '== kernel'; for name in %(kernel)s; do echo "$name $(sysctl -n "$name")"; done
echo '== firewall'; iptables -S; ip6tables -S | sed 's/^/6/'
echo '== docker'
if systemctl -q is-active docker; then
  ids="$(docker images -q) $(docker ps -aq)"
  [ "$ids" = " " ] || docker inspect $ids
fi
"""


def inside(pid, script):
    command = ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
               "/usr/bin/env", "-i", "LC_ALL=C", "HOME=/root",
               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "timeout", "60", "sh", "-c", script]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=90,
                          text=True, errors="replace").stdout


def digest(data):
    return hashlib.sha256(data).hexdigest()[:24]


def accounts(path, real):
    """The lines of a file of accounts, by their names. The third field of shadow is the day of the last change."""
    found = {}
    with open(real, encoding="utf-8", errors="replace") as file:
        for line in file.read().split("\n"):
            fields = line.split(":")
            if path == "/etc/shadow":
                fields[2:3] = []
            if line:
                found[f"line {path} {fields[0]}"] = ":".join(fields[1:])
    return found


def content(real):
    with open(real, "rb") as file:
        data = file.read()
    return f"{len(data)} bytes {digest(data)}"


def path_object(path, real):
    info = os.lstat(real)
    owner = f"{info.st_uid}:{info.st_gid}"
    if stat.S_ISLNK(info.st_mode):
        return f"symlink {owner} {os.readlink(real)}"
    mode = f"{stat.S_IMODE(info.st_mode):04o} {owner}"
    if stat.S_ISDIR(info.st_mode):
        return f"directory {mode}"
    if stat.S_ISREG(info.st_mode):
        bare = path in WITHOUT_CONTENT or ACCOUNTS.match(path) or BACKUPS.match(path)
        return f"file {mode}" if bare else f"file {mode} {content(real)}"
    return f"special {stat.S_IFMT(info.st_mode):o} {mode}"


def paths(root):
    found = {}
    for tree in TREES:
        for folder, folders, files in os.walk(root + tree):
            here = folder[len(root):]
            for name in [""] * (here == tree) + folders + files:
                path = f"{here}/{name}" if name else here
                if path in IGNORED:
                    continue
                try:
                    found[f"path {path}"] = path_object(path, root + path)
                    if ACCOUNTS.match(path):
                        found.update(accounts(path, root + path))
                except FileNotFoundError:
                    pass
    for path in NODES:
        if os.path.lexists(root + path):
            found[f"path {path}"] = path_object(path, root + path)
    return found


def section(text, name):
    parts = re.split(r"^== (\w+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2])).get(name, "")


def tree_digest(top):
    """All of a folder in one sum: an image whose files came out empty is another one."""
    lines = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files + folders):
            real = os.path.join(folder, name)
            lines.append(f"{real[len(top):]} {path_object('', real)}")
    return digest("\n".join(sorted(lines)).encode())


def docker_objects(text, root):
    found = {}
    for thing in json.loads(text) if text.strip() else []:
        layer = thing.get("GraphDriver", {}).get("Data", {}).get("UpperDir", "")
        if "RepoTags" in thing:
            for tag in thing["RepoTags"]:
                found[f"image {tag}"] = f"{' '.join(thing['RootFS']['Layers'])} files {tree_digest(root + layer)}"
            continue
        config, host = thing["Config"], thing["HostConfig"]
        wanted = {key: config.get(key) for key in ["User", "Env", "Cmd", "Entrypoint", "Image", "Healthcheck"]}
        wanted.update({key: host.get(key) for key in [
            "Binds", "NetworkMode", "RestartPolicy", "CapAdd", "CapDrop", "ReadonlyRootfs", "SecurityOpt", "Tmpfs",
            "Memory", "NanoCpus", "PidsLimit", "Privileged", "LogConfig", "PortBindings"]})
        sum_of = digest(json.dumps(wanted, sort_keys=True).encode())
        name = thing["Name"].lstrip("/")
        found[f"container {name}"] = sum_of
        # Made and not started yet is one of Docker's own states, as dpkg has its own.
        found[f"status of container {name}"] = thing["State"]["Status"]
    return found


def machine_objects(pid, root):
    for _ in range(20):
        text = inside(pid, ASK % {"units": " ".join(UNITS), "kernel": " ".join(KERNEL)})
        # What is just starting is looked at again.
        if not re.search(r" (activating|deactivating|reloading) (?!oneshot)", section(text, "units")):
            break
        time.sleep(0.5)
    found = {}
    for line in section(text, "packages").splitlines():
        name, rest = line.split(" ", 1)
        if not rest.startswith("un"):
            found[f"package {name}"] = rest
    for line in section(text, "units").splitlines():
        words = line.split(" ")
        if len(words) < 4:
            words.insert(1, "absent")
        name, enabled, active, sort = words[:4]
        if not (enabled in ("absent", "not-found") and active == "inactive"):
            found[f"unit {name}"] = enabled if sort == "oneshot" else f"{enabled} {active}"
    for line in section(text, "kernel").splitlines():
        found[f"kernel {line.split(' ')[0]}"] = line.split(" ", 1)[1]
    chains = {}
    for line in section(text, "firewall").splitlines():
        words = line.split(" ")
        if len(words) > 1 and (words[1].startswith("ufw") or words[0].endswith("-P")):
            six = "6 " if words[0].startswith("6") else ""
            chains.setdefault(f"firewall {six}{words[1]}", []).append(line)
    for name, lines in chains.items():
        # A chain without a rule lets through what comes, as none would; ufw leaves them behind when it is switched off.
        if len(lines) == 1 and "-N" in lines[0]:
            continue
        found[name] = lines[0].split(" ")[-1] if "-P" in lines[0] else digest("\n".join(lines).encode())
    found.update(docker_objects(section(text, "docker"), root))
    return found, section(text, "audit")


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def own_state(root):
    """What rempart itself keeps on the machine, as far as others must be able to understand it."""
    home = root + "/var/lib/rempart"
    journal = read(home + "/journal")
    open_runs = []
    if os.path.isdir(home + "/runs"):
        open_runs = sorted(run for run in os.listdir(home + "/runs") if os.path.exists(f"{home}/runs/{run}/open"))
    guard = sorted(os.listdir(home + "/guard")) if os.path.isdir(home + "/guard") else []
    return {"journal": None if journal is None else journal.decode(errors="replace"), "open_runs": open_runs,
            "guard": guard}


def record(pid, file, title=None):
    root = f"/proc/{pid}/root"
    objects = paths(root)
    more, audit = machine_objects(pid, root)
    objects.update(more)
    state = {"title": title, "objects": objects, "audit": audit, "own": own_state(root)}
    with open(file, "w", encoding="utf-8") as out:
        json.dump(state, out, indent=0, sort_keys=True)


def load(file):
    with open(file, encoding="utf-8") as text:
        return json.load(text)


def chain(text):
    """The faults of a journal, its lines, and whether its last line is torn."""
    faults, lines, last = [], [], "0" * 64
    whole, _, torn = text.rpartition("\n")
    for number, line in enumerate(whole.split("\n") if whole else [], 1):
        fields = line.split("\t")
        if len(fields) < 8:
            faults.append(f"line {number} of the journal has {len(fields)} fields: {line[:120]!r}")
            continue
        rest = line.split("\t", 1)[1]
        if fields[0] != hashlib.sha256(f"{last}\t{rest}".encode()).hexdigest():
            faults.append(f"line {number} of the journal is not sealed by the one before it")
        if fields[1] != str(number):
            faults.append(f"line {number} of the journal says that it is number {fields[1]}")
        last = fields[0]
        lines.append(dict(zip(["seq", "epoch", "run", "batch", "word", "step", "text"], fields[1:])))
    return faults, lines, bool(torn)


def judge(golden, state, base, reached):
    must_be_new = base is None
    versions = [load(os.path.join(golden, name)) for name in sorted(os.listdir(golden)) if name.endswith(".json")]
    allowed = {}
    for version in versions:
        for name in version["objects"]:
            allowed.setdefault(name, set())
    for name, known in allowed.items():
        known.update(version["objects"].get(name, "absent") for version in versions)
    old, new = versions[base or 0]["objects"], versions[-1]["objects"]
    # The last of them is from after a reboot, which starts what is enabled.
    before_boot = versions[-2]["objects"]
    objects, own = state["objects"], state["own"]
    journaled = versions[-1]["own"]["journal"] is not None

    faults, packages, temporary = [], [], []
    told = chain(own["journal"] or "")[1]
    installing = set() if must_be_new else broken_install(versions, told)
    # Only where the power took the content of what packages brought: the step is open, or was put back.
    lost_packages = installing or any("| put back: install " in line["text"] for line in told)
    unfinished = [name for name, is_ in objects.items() if name.startswith("package ") and is_[:3] not in ("ii ", "rc ")]
    packages += [f"{name}: {objects[name]}" for name in sorted(unfinished)]
    for name in sorted(set(objects) | set(allowed)):
        is_ = objects.get(name, "absent")
        if TEMPORARY.search(name):
            temporary.append(name)
            continue
        if GUARD.search(name) and not must_be_new:
            continue
        known = allowed.get(name, {"absent"})
        if name in OF_EMPTY_CONFIG and is_.startswith("directory ") and lost_packages:
            continue
        if OF_DPKG.search(name):
            if is_ != "absent":
                packages.append(f"{name}: {is_}")
        elif must_be_new:
            lives = name.startswith(("unit ", "kernel ", "firewall "))
            if is_ != new.get(name, "absent") and not (lives and is_ == before_boot.get(name, "absent")):
                faults.append(f"not new: {name}: {is_}; should be: {new.get(name, 'absent')}")
        elif name.startswith("status of ") and is_ in ("created", "running", "restarting", "exited"):
            pass
        elif name.startswith("unit ") and enabled(is_) in {enabled(version) for version in known}:
            pass
        elif is_ not in known:
            # What a package's script wrote and nobody synced. dpkg does not know; the journal knows that the step has no end.
            emptied = name in installing and re.match(r"file \d+ \d+:\d+ 0 bytes ", is_)
            if name.startswith("package ") or unfinished or state["audit"].strip() or emptied:
                packages.append(f"{name}: {is_}")
            else:
                faults.append(f"between: {name}: {is_}; known: {sorted(known)[:4]}")
    journal = own["journal"]
    lines, torn = [], False
    if journal is not None:
        broken, lines, torn = chain(journal)
        faults += broken
    elif journaled:
        faults.append("there is no journal")
    if journaled and not must_be_new:
        earlier = len(chain(versions[base]["own"]["journal"] or "")[1])
        faults += unexplained(versions, old, objects, lines[earlier:])
    if not must_be_new and "healed" not in own["guard"] and not unfinished:
        faults += undone(versions, objects, base, reached)
    if must_be_new:
        faults += [f"left behind: {name}" for name in temporary]
        faults += [f"the run {run} is still open" for run in own["open_runs"]]
        if own["guard"]:
            faults.append(f"the guard's folder is still there: {own['guard']}")
        if state["audit"].strip():
            faults.append(f"dpkg --audit: {state['audit'].strip()[:200]}")
        if torn:
            faults.append("the journal's last line is torn")
    moved = sum(objects.get(name, "absent") != old.get(name, "absent") for name in allowed)
    return {"faults": faults, "packages": packages, "temporary": temporary, "torn": torn, "looked_at": len(objects),
            "moved": moved, "journal_lines": len(lines)}


def broken_install(versions, lines):
    """The objects of steps that have an intent and no end, and change packages."""
    began = {}
    for line in lines:
        key = (line["run"], line["batch"], line["step"])
        if line["word"] == "intent":
            began[key] = line["text"]
        elif line["word"] in ("done", "fail"):
            began.pop(key, None)
    found = set()
    for before, after in zip(versions, versions[1:]):
        if any(text.endswith(f"| {after['title']}") for text in began.values()):
            names = set(before["objects"]) | set(after["objects"])
            moved = {name for name in names if before["objects"].get(name) != after["objects"].get(name)}
            found |= moved if any(name.startswith("package ") for name in moved) else set()
    return found


def enabled(unit):
    """What is on the disk of a unit's value. Whether it is active is systemd's own: a boot starts it, a full disk fails it."""
    return unit.split(" ")[0]


KEPT = ("path ", "line ", "package ", "image ")


def undone(versions, objects, base, reached):
    """What was done, and said so, is done: it is as it was then, or as a later step left it."""
    before, then = versions[base]["objects"], versions[reached]["objects"]
    faults = []
    for name in sorted(set(before) | set(then)):
        if not name.startswith(KEPT) or before.get(name) == then.get(name):
            continue
        is_ = objects.get(name, "absent")
        if is_ not in {version["objects"].get(name, "absent") for version in versions[reached:]}:
            faults.append(f"was done and is undone: {name}: {is_}; was: {then.get(name, 'absent')}")
    return faults


def unexplained(versions, old, objects, lines):
    """Write-ahead: what is not as at the start must belong to a step whose intent stands in the journal."""
    intents = [line["text"] for line in lines if line["word"] == "intent"]
    # A step that the undisturbed run did not need says itself which path it is about.
    explained = {f"path {key.partition(':')[2]}" for text in intents for key in text.rpartition(" | ")[0].split(", ")}
    for before, after in zip(versions, versions[1:]):
        if any(text == after["title"] or text.endswith(f"| {after['title']}") for text in intents):
            names = set(before["objects"]) | set(after["objects"])
            explained |= {name for name in names if before["objects"].get(name) != after["objects"].get(name)}
    explained |= BY_DAEMONS
    known = set(old).union(*(version["objects"] for version in versions))
    return [f"changed without an intent in the journal: {name}" for name in sorted(known)
            if name.startswith(KEPT) and not GUARD.search(name) and name not in ("path /var/lib/rempart",)
            and objects.get(name) != old.get(name) and name not in explained
            # A trigger of dpkg's reaches packages that nobody asked for; unfinished ones are counted apart.
            and not (name.startswith("package ") and objects.get(name, "ii ")[:3] not in ("ii ", "rc "))]


def main(argv):
    if argv[0] == "record":
        record(argv[1], argv[2])
    elif argv[0] == "snap":
        record(argv[1], argv[2], argv[3])
    elif argv[0] == "judge":
        base, reached = (None, None) if argv[3] == "new" else (int(argv[3]), int(argv[4]))
        verdict = judge(argv[1], load(argv[2]), base, reached)
        print(json.dumps(verdict))
        return 1 if verdict["faults"] else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
