"""The other way round: each protection is taken away behind rempart's back, one at a time, and rempart must say so.

`mends` is a hand's way back; what is left of a case is seen by the last test, which wants to hear of no drift at all."""
import os
import pathlib
import re
import subprocess

import pytest

from conftest import root

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def rempart(*words):
    program = os.environ["REMPART_PROGRAM"]
    return subprocess.run([program, *words, "--color", "never", "-i", "inventories/demo.yaml"], cwd=PROJECT, capture_output=True, text=True,
                          timeout=120, check=False)


def of_file(path, change, after="true"):
    """A file is kept, changed and put back, and what reads it is told both times."""
    kept = "/root/kept-" + re.sub(r"\W", "-", path)
    return (f"cp -a {path} {kept} && {change} && {after}", f"cp -a {kept} {path} && rm -rf {kept} && {after}")


UNIT = "/etc/systemd/system/ollama.service"
RESTART = "systemctl daemon-reload && systemctl restart ollama"
BLOB = "$(ls /srv/ollama/models/blobs/sha256-* | head -n 1)"
TABLE = [
    # The firewall
    ("server1", "the firewall is off", "firewall_ufw", "ufw disable", "ufw --force enable"),
    ("server1", "it lets in what no rule speaks of", "firewall_ufw", "ufw default allow incoming", "ufw default deny incoming"),
    ("server1", "the kernel lets in what ufw would not", "firewall_", "iptables -P INPUT ACCEPT", "iptables -P INPUT DROP"),
    ("server1", "the next boot has none", "firewall_ufw", "systemctl disable ufw", "systemctl enable ufw"),
    ("server1", "a rule more lets everybody in", "firewall_ufw", "ufw allow 8080/tcp", "ufw delete allow 8080/tcp"),
    ("server1", "SSH for everybody", "firewall_ufw", "ufw allow 22/tcp", "ufw delete allow 22/tcp"),
    ("proxy1", "the proxy for everybody", "firewall_ufw", "ufw allow 3128/tcp", "ufw delete allow 3128/tcp"),
    # The way out
    ("proxy1", "squid lets everything pass", "squid", *of_file("/etc/squid/squid.conf", "sed -i 's/^http_access deny all/http_access allow all/' /etc/squid/squid.conf", "systemctl reload squid")),
    ("proxy1", "a name more is on the list", "squid", *of_file("/etc/squid/squid.conf", "sed -i 's/\\.huggingface\\.co/& .example.org/' /etc/squid/squid.conf", "systemctl reload squid")),
    ("proxy1", "squid does not run", "squid", "systemctl stop squid", "systemctl start squid"),
    ("server1", "apt goes out by itself", "00proxy", *of_file("/etc/apt/apt.conf.d/00proxy", "rm /etc/apt/apt.conf.d/00proxy")),
    ("server1", "shells go out by themselves", "proxy.sh", *of_file("/etc/profile.d/proxy.sh", "rm /etc/profile.d/proxy.sh")),
    # Ollama
    ("server1", "Ollama for everybody", "ollama.service", *of_file(UNIT, f"sed -i 's/OLLAMA_HOST=127.0.0.1/OLLAMA_HOST=0.0.0.0/' {UNIT}", RESTART)),
    ("server1", "Ollama as root", "ollama.service", *of_file(UNIT, f"sed -i '/^User=/d; /^Group=/d' {UNIT}", RESTART)),
    ("server1", "Ollama without its sandbox", "ollama.service", *of_file(UNIT, f"sed -i '/^Protect/d; /^Restrict/d; /^System/d' {UNIT}", RESTART)),
    ("server1", "Ollama may reach any address", "ollama.service", *of_file(UNIT, f"sed -i '/^IPAddress/d' {UNIT}", RESTART)),
    ("server1", "Ollama runs on an old configuration", "ollama.service", f"touch {UNIT} && systemctl daemon-reload", "systemctl restart ollama"),
    ("server1", "Ollama does not run", "ollama.service", "systemctl stop ollama", "systemctl start ollama"),
    ("server1", "another program in its place", "the program is what its archive holds", *of_file("/opt/ollama/0.0.0-stand-in/bin/ollama", "echo '# more' >> /opt/ollama/0.0.0-stand-in/bin/ollama")),
    ("server1", "its account has a shell", "user:ollama", "usermod -s /bin/bash ollama", "usermod -s /usr/sbin/nologin ollama"),
    ("server1", "its account has a password", "user:ollama", "echo ollama:rempart-test | chpasswd", "usermod -p '!' ollama"),
    # The models
    ("server1", "a layer is another one", "ollama_model", f"cp -a {BLOB} /root/kept-blob && echo more >> {BLOB}", f"cp -a /root/kept-blob {BLOB} && rm /root/kept-blob"),
    ("server1", "anybody may change the models", "directory:/srv/ollama/models", "chmod o+rwx /srv/ollama/models", "chmod 0750 /srv/ollama/models"),
    ("server1", "Ollama may change a layer", "ollama_model", f"chown ollama {BLOB}", f"chown root {BLOB}"),
    # The container
    ("server1", "the container is in a network", "docker_container", "docker network disconnect none ollama-secure && docker network connect bridge ollama-secure", "docker network disconnect bridge ollama-secure && docker network connect none ollama-secure"),
    ("server1", "the container takes more memory", "docker_container", "docker update --memory 512m --memory-swap -1 ollama-secure", "docker update --memory 256m --memory-swap 512m ollama-secure"),
    ("server1", "the container does not run", "docker_container", "docker stop -t 1 ollama-secure", "docker start ollama-secure"),
    # People
    ("server1", "root may log in", "sshd", *of_file("/etc/ssh/sshd_config.d/00-rempart.conf", "sed -i 's/^PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config.d/00-rempart.conf", "systemctl reload ssh")),
    ("server1", "a file before ours lets passwords in", "sshd", "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/00-a.conf && systemctl reload ssh", "rm /etc/ssh/sshd_config.d/00-a.conf && systemctl reload ssh"),
    ("server1", "shells stay open", "timeout.sh", *of_file("/etc/profile.d/timeout.sh", "rm /etc/profile.d/timeout.sh")),
    # The kernel and the packages
    ("server1", "spoofed sources, now", "sysctl", "sysctl -w net.ipv4.conf.all.rp_filter=0", "sysctl -w net.ipv4.conf.all.rp_filter=1"),
    ("server1", "redirects, after the next boot", "sysctl", "echo 'net.ipv4.conf.all.accept_redirects = 1' > /etc/sysctl.d/zz-more.conf", "rm /etc/sysctl.d/zz-more.conf"),
    ("server1", "nothing upgrades itself", "apt_unattended_upgrades", "systemctl disable --now apt-daily-upgrade.timer", "systemctl enable --now apt-daily-upgrade.timer"),
    ("server1", "upgrades are switched off elsewhere", "apt_unattended_upgrades", "echo 'APT::Periodic::Unattended-Upgrade \"0\";' > /etc/apt/apt.conf.d/99zz-off", "rm /etc/apt/apt.conf.d/99zz-off"),
    # Those who watch
    ("server1", "nobody looks every hour", "check-isolation", "systemctl stop check-isolation.timer", "systemctl start check-isolation.timer"),
    ("server1", "nobody looks after the next boot", "check-isolation", "systemctl disable check-isolation.timer", "systemctl enable check-isolation.timer"),
    ("server1", "who looks sees nothing", "check-isolation", *of_file("/usr/local/sbin/check-isolation", "printf '#!/bin/sh\\n' > /usr/local/sbin/check-isolation")),
    ("server1", "anybody reads the token", "isolation.env", "chmod 0644 /etc/ollama/isolation.env", "chmod 0600 /etc/ollama/isolation.env"),
    ("server1", "nobody reads the models every week", "verify-models", "systemctl stop verify-models.timer", "systemctl start verify-models.timer"),
    ("server1", "logs go with the next boot", "journald", "mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nStorage=volatile\\n' > /etc/systemd/journald.conf.d/zz.conf", "rm /etc/systemd/journald.conf.d/zz.conf"),
]


@pytest.mark.parametrize(("host", "what", "named", "breaks", "mends"), TABLE, ids=[f"{row[0]}: {row[1]}" for row in TABLE])
def test_what_is_taken_away_is_missed(host, what, named, breaks, mends):
    broken = root(host, breaks)
    try:
        assert broken.returncode == 0, f"{breaks}: {broken.stderr}{broken.stdout}"
        drift = rempart("drift", "playbooks/site.yaml", "--limit", host)
        said = drift.stdout + drift.stderr
        assert drift.returncode == 2, f"{what}: exit {drift.returncode}\n{said}"
        line = rf"^[~!+-] {host} / .*{re.escape(named)}"
        assert re.search(line, drift.stdout, re.M), f"{what}: {named} is not named\n{said}"
    finally:
        mended = root(host, mends)
    assert mended.returncode == 0, f"{mends}: {mended.stderr}{mended.stdout}"


def test_all_of_them_were_put_back():
    print(f"protections taken away and missed: {len(TABLE)}")
    # The order of ufw's rules, for one, a hand does not put back.
    applied = rempart("apply", "playbooks/site.yaml", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    drift = rempart("drift", "playbooks/site.yaml")
    assert drift.returncode == 0, drift.stdout + drift.stderr
