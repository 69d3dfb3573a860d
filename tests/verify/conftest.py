"""How the demo's machines are reached, and what the controller may ask about them. No line of rempart's is used."""
import glob
import os
import re
import subprocess

import pytest
import testinfra

ADDRESS = {"server1": "10.77.0.11", "proxy1": "10.77.0.21", "ws1": "10.77.0.31"}
SUDO_PASSWORD = {"proxy1": "only-for-the-lab"}


def connect(name):
    """A machine as testinfra's backend, over the OpenSSH client."""
    return testinfra.get_host(f"ssh://{ADDRESS[name]}", ssh_config=os.environ["VERIFY_SSH"])


def root(name, command, stdin=""):
    """Runs a shell command as root on a machine, over ssh and sudo."""
    password = SUDO_PASSWORD.get(name)
    sudo = ["sudo", "-S", "-p", "''"] if password else ["sudo", "-n"]
    quoted = "'" + command.replace("'", "'\\''") + "'"
    return subprocess.run(
        ["ssh", "-F", os.environ["VERIFY_SSH"], ADDRESS[name], *sudo, "sh", "-c", quoted],
        input=(password + "\n" if password else "") + stdin, capture_output=True, text=True, timeout=120, check=False,
    )


def out(name, command):
    """The output of a command that must end well."""
    done = root(name, command)
    assert done.returncode == 0, f"{name}: {command}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


@pytest.fixture(scope="session")
def namespaces():
    """The network namespace of each machine, as the process number of its init."""
    found = {}
    for status in glob.glob("/proc/[0-9]*/status"):
        try:
            with open(status, encoding="utf-8") as file:
                numbers = re.search(r"^NSpid:\s+(.*)$", file.read(), re.M).group(1).split()
        except OSError:
            continue
        # The first process of a machine has the number 1 in there, and another one here.
        if len(numbers) < 2 or numbers[-1] != "1":
            continue
        pid = numbers[0]
        seen = run("nsenter", "-n", "-t", pid, "ip", "-4", "-o", "addr")
        for name, address in ADDRESS.items():
            if f" {address}/" in seen and is_of_this_lab(pid, address):
                found[name] = pid
    assert set(found) == set(ADDRESS), f"machines whose network was found: {found}"
    return found


def is_of_this_lab(pid, address):
    """Other labs may use the same addresses: ours has the SSH host key that this lab's known hosts name."""
    key = run("nsenter", "-n", "-t", pid, "ssh-keyscan", "-T", "3", "-t", "ed25519", address).split()
    with open(os.environ["REMPART_KNOWN_HOSTS"], encoding="utf-8") as file:
        return len(key) == 3 and key[2] in file.read().split()


def run(*command):
    """What a command prints, whatever its end."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def request(pid, proxy, line, timeout=30):
    """The status that a proxy answers one raw request with, asked from the network of a machine."""
    code = (
        "import socket,sys\n"
        f"s=socket.create_connection(({proxy!r},3128),{timeout})\n"
        f"s.sendall({line!r}.encode())\n"
        "print(s.recv(64).decode('latin1').split()[1])\n"
    )
    done = subprocess.run(["nsenter", "-n", "-t", pid, "python3", "-c", code], capture_output=True, text=True, timeout=timeout + 10, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
