"""What is open to whom: nmap and raw requests, from the networks of other machines."""
import re
import subprocess

import pytest

from conftest import ADDRESS, out, request

# (from, to): the TCP ports that answer, of all 65535. The controller stands in no machine's network: None.
OPEN = {
    (None, "server1"): {22},
    (None, "proxy1"): {22},
    (None, "ws1"): {22},
    ("ws1", "server1"): set(),
    ("proxy1", "server1"): set(),
    ("ws1", "proxy1"): {3128},
    ("server1", "proxy1"): {3128},
    ("proxy1", "ws1"): set(),
    ("server1", "ws1"): set(),
}


@pytest.mark.parametrize(("source", "to"), list(OPEN), ids=lambda name: name or "controller")
def test_nmap_finds_the_declared_ports_and_no_other(namespaces, source, to):
    inside = ["nsenter", "-n", "-t", namespaces[source]] if source else []
    # -Pn, since a firewall may drop a ping as well; the rate is high because this network is one machine.
    scan = subprocess.run(
        [*inside, "nmap", "-n", "-Pn", "-p-", "--min-rate", "8000", "--max-retries", "2", "-oG", "-", ADDRESS[to]],
        capture_output=True, text=True, timeout=280, check=True,
    ).stdout
    assert "Status: Up" in scan
    found = {int(port) for port in re.findall(r"(\d+)/open/tcp", scan)}
    print(f"nmap {source or 'controller'} -> {to}: {sorted(found)}")
    assert found == OPEN[(source, to)]


def test_ollama_listens_on_loopback_only():
    lines = [line.split()[3] for line in out("server1", "ss -Hltn 'sport = :11434'").splitlines()]
    assert lines and all(at in ("127.0.0.1:11434", "[::1]:11434") for at in lines), lines


def test_nothing_but_ssh_listens_to_the_world_on_the_server():
    lines = [line.split()[3] for line in out("server1", "ss -Hltn").splitlines()]
    world = {at.rsplit(":", 1)[1] for at in lines if not at.startswith(("127.", "[::1]"))}
    assert world == {"22"}, lines


@pytest.mark.parametrize("line", [
    "CONNECT registry.ollama.ai:443 HTTP/1.1\r\nHost: registry.ollama.ai:443\r\n\r\n",
    "CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n",
    "CONNECT cdn.huggingface.co:443 HTTP/1.1\r\nHost: cdn.huggingface.co:443\r\n\r\n",
    "GET http://registry.ollama.ai/ HTTP/1.1\r\nHost: registry.ollama.ai\r\n\r\n",
])
def test_the_proxy_lets_the_list_pass(namespaces, line):
    # Without the Internet behind it the answer is some 5xx; that the proxy does not refuse is what counts.
    status = request(namespaces["server1"], ADDRESS["proxy1"], line)
    print(line.split()[:2], status)
    assert status != 403


def test_a_real_download_passes(namespaces):
    line = "GET http://10.77.0.1:3142/files/stand-in-model.gguf HTTP/1.1\r\nHost: 10.77.0.1:3142\r\n\r\n"
    assert request(namespaces["server1"], ADDRESS["proxy1"], line) == 200


@pytest.mark.parametrize("line", [
    "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET http://93.184.215.14/ HTTP/1.1\r\nHost: registry.ollama.ai\r\n\r\n",
    "CONNECT registry.ollama.ai:22 HTTP/1.1\r\nHost: registry.ollama.ai:22\r\n\r\n",
    "CONNECT registry.ollama.ai:80 HTTP/1.1\r\nHost: registry.ollama.ai:80\r\n\r\n",
    "CONNECT huggingface.co:3142 HTTP/1.1\r\nHost: huggingface.co:3142\r\n\r\n",
    "GET http://registry.ollama.ai:8080/ HTTP/1.1\r\nHost: registry.ollama.ai:8080\r\n\r\n",
    "GET http://notollama.ai/ HTTP/1.1\r\nHost: notollama.ai\r\n\r\n",
    "GET http://huggingface.co.evil.example/ HTTP/1.1\r\nHost: huggingface.co.evil.example\r\n\r\n",
])
def test_the_proxy_refuses_everything_else(namespaces, line):
    assert request(namespaces["server1"], ADDRESS["proxy1"], line) == 403
