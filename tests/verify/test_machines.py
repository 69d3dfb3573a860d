"""What the machines are: testinfra for files, users and services; systemd and docker by their own words."""
import json
import re

import pytest

from conftest import ADDRESS, connect, out, root


@pytest.fixture(scope="session", params=sorted(ADDRESS))
def any_host(request):
    return request.param, connect(request.param)


def test_ssh_takes_keys_of_named_people_only(any_host):
    name, _ = any_host
    settings = dict(line.split(" ", 1) for line in out(name, "sshd -T").splitlines() if " " in line)
    assert settings["permitrootlogin"] == "no"
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["allowusers"] == "admin"
    assert int(settings["maxauthtries"]) <= 3


def test_ssh_and_updates_run(any_host):
    _, host = any_host
    assert host.service("ssh").is_running
    assert host.package("unattended-upgrades").is_installed
    assert host.service("apt-daily-upgrade.timer").is_enabled
    name, _ = any_host
    assert 'APT::Periodic::Unattended-Upgrade "1";' in out(name, "apt-config dump APT::Periodic")


def test_the_firewall_is_on_now_and_after_a_reboot(any_host):
    name, host = any_host
    status = out(name, "ufw status verbose")
    assert "Status: active" in status
    assert "Default: deny (incoming)" in status
    assert host.service("ufw").is_enabled
    assert re.search(r"^22/tcp\s+ALLOW IN\s+10\.77\.0\.1\b", status, re.M), status
    assert not re.search(r"^22/tcp\s+ALLOW IN\s+Anywhere", status, re.M), status


@pytest.mark.parametrize(("key", "value"), [
    ("net.ipv4.conf.all.rp_filter", "1"), ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.all.accept_redirects", "0"), ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_source_route", "0"), ("net.ipv4.tcp_syncookies", "1"),
])
def test_the_kernel_and_its_files_agree(any_host, key, value):
    name, _ = any_host
    assert out(name, f"cat /proc/sys/{key.replace('.', '/')}") == value
    assert re.search(rf"^{re.escape(key)}\s*=\s*{value}$", out(name, "cat /etc/sysctl.d/*.conf"), re.M)


def test_the_real_tools_take_the_files(any_host):
    name, _ = any_host
    out(name, "sshd -t && visudo -c")
    out(name, "[ ! -e /etc/squid/squid.conf ] || squid -k parse")


def test_unwanted_packages_are_away():
    for name in ("server1", "ws1"):
        for package in ("samba", "nfs-kernel-server"):
            assert not connect(name).package(package).is_installed


def test_the_way_out_is_the_proxy():
    for name in ("server1", "ws1"):
        assert '"http://10.77.0.21:3128"' in connect(name).file("/etc/apt/apt.conf.d/00proxy").content_string
        assert "http_proxy=" in connect(name).file("/etc/profile.d/proxy.sh").content_string


@pytest.mark.parametrize(("unit", "limit"), [("ollama.service", 2.0), ("check-isolation.service", 2.0), ("verify-models.service", 2.0)])
def test_units_are_hardened(unit, limit):
    line = out("server1", f"systemd-analyze security --no-pager {unit} | tail -n 1")
    score = float(re.search(r": ([\d.]+) ", line).group(1))
    print(f"systemd-analyze security {unit}: {score}")
    assert score < limit


def test_ollama_runs_as_its_own_user():
    host = connect("server1")
    user = host.user("ollama")
    assert user.exists and user.shell == "/usr/sbin/nologin" and user.home == "/var/lib/ollama"
    assert host.service("ollama").is_running and host.service("ollama").is_enabled
    pid = out("server1", "systemctl show -p MainPID --value ollama")
    assert out("server1", f"stat -c %U /proc/{pid}") == "ollama"
    assert "nothing" == out("server1", f"grep -q '^CapEff:.*[1-9a-f]' /proc/{pid}/status || echo nothing")


def test_ollama_answers_on_loopback():
    ask = "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(\"127.0.0.1:11434\") or die; print $s \"GET %s HTTP/1.0\\r\\n\\r\\n\"; print <$s>'"
    assert "200 OK" in out("server1", ask % "/api/version")
    assert "stand-in:latest" in out("server1", ask % "/api/tags")


def test_models_are_pinned_and_nobody_else_can_change_them():
    listing = out("server1", "find /srv/ollama/models -printf '%y %m %U %g %p\\n'").splitlines()
    assert len(listing) >= 8
    for line in listing:
        kind, mode, owner, group, path = line.split(" ", 4)
        assert (owner, group) == ("0", "ollama"), line
        assert mode == {"d": "750", "f": "640"}[kind], line
        digest = re.search(r"/blobs/sha256-(\w+)$", path)
        if digest:
            assert out("server1", f"sha256sum {path}").split()[0] == digest.group(1)


def inspect():
    return json.loads(out("server1", "docker inspect ollama-secure"))[0]


@pytest.mark.parametrize(("field", "wanted"), [
    ("HostConfig.NetworkMode", "none"),
    ("HostConfig.ReadonlyRootfs", True),
    ("HostConfig.Privileged", False),
    ("HostConfig.CapDrop", ["ALL"]),
    ("HostConfig.Memory", 256 * 1024 * 1024),
    ("HostConfig.NanoCpus", 1_000_000_000),
    ("HostConfig.PidsLimit", 256),
    ("HostConfig.RestartPolicy.Name", "unless-stopped"),
    ("HostConfig.LogConfig.Type", "journald"),
    ("HostConfig.PublishAllPorts", False),
    ("Config.User", "1001:1001"),
    ("State.Running", True),
    ("State.Health.Status", "healthy"),
])
def test_docker_inspect(field, wanted):
    value = inspect()
    for part in field.split("."):
        value = value[part]
    assert value == wanted


def test_docker_inspect_lists():
    config = inspect()["HostConfig"]
    assert not config["CapAdd"] and not config["PortBindings"] and not config["Devices"]
    assert any(option.startswith("no-new-privileges") for option in config["SecurityOpt"])
    assert "size=64m" in config["Tmpfs"]["/tmp"] and "/home/ollama" in config["Tmpfs"]
    mounts = [(mount["Source"], mount["Destination"], mount["RW"]) for mount in inspect()["Mounts"] if mount["Type"] == "bind"]
    assert mounts == [("/srv/ollama/models", "/models", False)]
    env = dict(pair.split("=", 1) for pair in inspect()["Config"]["Env"])
    assert env["OLLAMA_MODELS"] == "/models" and env["OLLAMA_HOST"].startswith("127.0.0.1:")


def test_the_container_reaches_nothing_and_answers_itself():
    inside = "docker exec ollama-secure "
    assert "version" in out("server1", inside + "wget -q -O - http://127.0.0.1:11434/api/version")
    assert out("server1", inside + "ls /sys/class/net").split() == ["lo"]
    assert root("server1", inside + "touch /models/x").returncode != 0
    assert root("server1", inside + "touch /x").returncode != 0
    assert root("server1", inside + "wget -T 3 -q -O - http://10.77.0.21:3128/").returncode != 0


def test_the_isolation_check_runs_every_hour_and_is_content():
    host = connect("server1")
    assert host.service("check-isolation.timer").is_running and host.service("check-isolation.timer").is_enabled
    done = root("server1", "systemctl reset-failed check-isolation.service; systemctl start check-isolation.service; systemctl show -p Result --value check-isolation.service")
    assert done.stdout.strip() == "success", out("server1", "journalctl -u check-isolation -n 20 --no-pager")


@pytest.mark.parametrize(("what", "breaks", "mends"), [
    ("a model that others can write", "chmod o+w /srv/ollama/models/blobs", "chmod o-w /srv/ollama/models/blobs"),
    ("a model that is not root's", "chown ollama /srv/ollama/models/blobs", "chown root /srv/ollama/models/blobs"),
    ("no container", "docker stop -t 1 ollama-secure", "docker start ollama-secure"),
])
def test_the_isolation_check_notices(what, breaks, mends):
    out("server1", breaks)
    try:
        root("server1", "systemctl reset-failed check-isolation.service; systemctl start check-isolation.service")
        assert out("server1", "systemctl show -p Result --value check-isolation.service") == "exit-code", what
    finally:
        out("server1", mends)
    root("server1", "systemctl reset-failed check-isolation.service; systemctl start check-isolation.service")
    assert out("server1", "systemctl show -p Result --value check-isolation.service") == "success", what


def test_the_secret_is_where_it_belongs_and_nowhere_else():
    file = out("server1", "stat -c '%a %U' /etc/ollama/isolation.env")
    assert file == "600 root"
    token = out("server1", "sed -n 's/^ALERT_TOKEN=//p' /etc/ollama/isolation.env")
    assert token
    # The pattern goes in on stdin: sudo notes every argument in the journal.
    found = root("server1", "grep -rlF -f - /var/log /run/rempart /var/lib/rempart /tmp /etc 2>/dev/null", token).stdout.split()
    assert found == ["/etc/ollama/isolation.env"], found


def test_squid_runs_from_a_file_of_root():
    host = connect("proxy1")
    assert host.service("squid").is_running and host.service("squid").is_enabled
    assert out("proxy1", "stat -c '%a %U:%G' /etc/squid/squid.conf") == "640 root:root"
    assert "http_access deny all" in out("proxy1", "cat /etc/squid/squid.conf")
