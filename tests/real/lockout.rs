//! Looking ahead: a plan that would close the way in is refused before anything is touched, and names what decides; one
//! that leaves it open is not.

use serde_json::Value;

use crate::fixture::{Lab, Machine, Ran, address, playbook};

// All that a refused plan could have touched.
const STATE: &str = "find /etc /home /var/lib/rempart /run/rempart /var/spool/cron -printf '%p %m %u %s %C@\\n' 2>/dev/null \
                     | sort | sha256sum; iptables-save 2>/dev/null | grep -v '^[#:]'; nft list ruleset 2>/dev/null | sed 's/packets [0-9]* bytes [0-9]*//'; \
                     systemctl list-unit-files --no-legend | grep -v scope | sha256sum; ls /mnt; mount | grep -c rempart";

fn verdicts(plan: &Ran, host: &str) -> Vec<Value> {
    let json = plan.json();
    let hosts = json["hosts"].as_array().unwrap();
    let host = hosts.iter().find(|known| known["host"] == host).unwrap_or_else(|| panic!("no {host}: {plan}"));
    host["way_in"]["verdicts"].as_array().cloned().unwrap_or_default()
}

fn rulings(plan: &Ran, host: &str) -> Vec<String> {
    let text = |verdict: &Value| {
        format!("{} {}", verdict["part"].as_str().unwrap(), verdict["ruling"].as_str().unwrap_or("no ruling"))
    };
    verdicts(plan, host).iter().map(text).collect()
}

fn plan(lab: &Lab, host: &str, items: &str) -> Ran {
    lab.write("case.yaml", &playbook(items));
    lab.rempart(&["plan", "case.yaml", "--json", "--limit", host])
}

/// The plan is refused because of `part`, whose deciding rule holds `by` and comes from `resource`; nothing is touched.
#[track_caller]
fn refused(lab: &Lab, host: &str, items: &str, (part, by, resource): (&str, &str, &str)) {
    let plan = plan(lab, host, items).ends(5);
    let found = verdicts(&plan, host);
    let fits = |verdict: &&Value| {
        verdict["part"] == part
            && verdict["ruling"] == "closed"
            && verdict["by"].as_str().is_some_and(|text| text.contains(by))
            && verdict["resource"].as_str() == Some(resource)
            && verdict["place"].as_str().is_some_and(|place| place.contains("case.yaml:"))
    };
    assert!(found.iter().any(|verdict| fits(&verdict)), "{host}: no {part} closed by `{by}` ({resource}): {plan}");
    let before = lab.try_on(host, STATE).out;
    let ran = lab.rempart(&["apply", "case.yaml", "--yes", "--limit", host]).ends(5);
    assert_eq!(before, lab.try_on(host, STATE).out, "{host} was touched: {ran}");
    let on = format!("on: {host} / {resource}");
    let said = [
        &["WOULD BE CLOSED"][..],
        &["would lock rempart out"],
        &[&on],
        &["why: ", by],
        &["case.yaml:"],
        &["--allow-lockout"],
    ];
    for words in said {
        assert!(!ran.lines(words).is_empty(), "{words:?} is not said: {ran}");
    }
}

/// The plan leaves each part that it touches open.
#[track_caller]
fn open(lab: &Lab, host: &str, items: &str, parts: &[&str]) -> Ran {
    let plan = plan(lab, host, items).ends(0);
    let expected: Vec<String> = parts.iter().map(|part| format!("{part} open")).collect();
    assert_eq!(rulings(&plan, host), expected, "{plan}");
    plan
}

fn our_key(lab: &Lab, host: &str) -> String {
    lab.on(host, "cat /home/admin/.ssh/authorized_keys").trim().to_owned()
}

const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ1d other";

#[test]
fn a_firewall_of_ufw_that_closes_the_way_in_is_refused() {
    let Some(lab) = Lab::boot("a closing ufw", &[Machine::new("web1"), Machine::new("bare1")]) else { return };
    lab.on("web1", "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ufw >/dev/null 2>&1");
    let ufw = "- package_apt: { names: [ufw] }\n- firewall_ufw: { enabled: true, incoming: deny }\n";
    // Also where ufw is not there yet.
    for host in ["web1", "bare1"] {
        refused(&lab, host, ufw, ("firewall", "policy", "firewall_ufw:ufw"));
        let elsewhere = format!("{ufw}- firewall_rule: {{ allow: 22/tcp, from: 198.51.100.0/24 }}\n");
        refused(&lab, host, &elsewhere, ("firewall", "policy", "firewall_ufw:ufw"));
        let denied = format!(
            "{ufw}- firewall_rule: {{ deny: 22/tcp, from: 192.0.2.0/24 }}\n- firewall_rule: {{ allow: 22/tcp }}\n"
        );
        let deciding = ("firewall", "192.0.2.0/24", "firewall_rule:deny 22/tcp from 192.0.2.0/24");
        refused(&lab, host, &denied, deciding);
        for rule in ["limit: 22/tcp", "allow: 22/tcp, from: 192.0.2.0/24", "allow: \"20:30,443/tcp\""] {
            open(&lab, host, &format!("{ufw}- firewall_rule: {{ {rule} }}\n"), &["firewall"]);
        }
    }
    // Chains of others: what they accept is in, what they drop is out, whatever ufw says.
    lab.on("web1", "iptables -N OTHERS && iptables -I INPUT -j OTHERS && iptables -A OTHERS -p tcp --dport 80 -j DROP");
    open(&lab, "web1", &format!("{ufw}- firewall_rule: {{ allow: 22/tcp }}\n"), &["firewall"]);
    lab.on("web1", "iptables -A OTHERS -p tcp -s 192.0.2.0/24 --dport 22 -j ACCEPT");
    open(&lab, "web1", ufw, &["firewall"]);
    lab.on("web1", "iptables -F OTHERS");
    // The rule that let us in is taken out of the playbook of a firewall that is exclusive, or is switched to absent.
    lab.playbook(&format!("{ufw}- firewall_rule: {{ allow: 22/tcp }}\n"));
    lab.rempart(&["apply", "playbook.yaml", "--yes", "--limit", "web1"]).ends(0);
    lab.rempart(&["plan", "playbook.yaml", "--detailed-exitcode", "--limit", "web1"]).ends(0);
    let exclusive = "- firewall_ufw: { enabled: true, incoming: deny, exclusive: true }\n";
    refused(&lab, "web1", exclusive, ("firewall", "policy", "firewall_ufw:ufw"));
    let absent = "- firewall_rule: { allow: 22/tcp, state: absent }\n";
    refused(&lab, "web1", absent, ("firewall", "policy", "firewall_rule:allow 22/tcp"));
    // A rule of somebody else's that stays, stays.
    lab.on("web1", "ufw allow from 192.0.2.254");
    open(&lab, "web1", &format!("{ufw}{absent}"), &["firewall"]);
}

#[test]
fn an_sshd_that_closes_the_way_in_is_refused() {
    let Some(lab) = Lab::boot_one("a closing sshd") else { return };
    let drop_in = |text: &str| format!("- file: {{ path: /etc/ssh/sshd_config.d/50-x.conf, content: {text:?} }}\n");
    let file = "file:/etc/ssh/sshd_config.d/50-x.conf";
    let kind = "sshd:/etc/ssh/sshd_config.d/00-rempart.conf";
    for (items, deciding) in [
        (drop_in("AllowUsers nobody\n"), ("admission", "AllowUsers nobody", file)),
        (drop_in("AllowUsers admin@198.51.100.0/24\n"), ("admission", "AllowUsers admin@198.51.100.0/24", file)),
        (drop_in("Match Address 192.0.2.0/24\n  AllowUsers nobody\n"), ("admission", "AllowUsers nobody", file)),
        (drop_in("Port 2222\n"), ("listening", ":2222", file)),
        (drop_in("PubkeyAuthentication no\n"), ("method", "PubkeyAuthentication no", file)),
        (drop_in("AuthorizedKeysFile /etc/ssh/keys/%u\n"), ("key", "/etc/ssh/keys/admin", file)),
        (drop_in("Nonsense yes\n"), ("listening", "Nonsense", file)),
        ("- sshd: { settings: { AllowGroups: [nogroup] } }\n".into(), ("admission", "AllowGroups nogroup", kind)),
        ("- sshd: { settings: { ListenAddress: 127.0.0.1 } }\n".into(), ("listening", "127.0.0.1:22", kind)),
        (
            "- sshd: { settings: { AuthenticationMethods: \"publickey,password\" } }\n".into(),
            ("method", "publickey,password", kind),
        ),
    ] {
        refused(&lab, "web1", &items, deciding);
    }
    let parts = &["listening", "admission", "method"];
    open(&lab, "web1", "- sshd: { settings: { AllowUsers: [admin], PermitRootLogin: \"no\" } }\n", parts);
    open(&lab, "web1", &drop_in("AllowUsers root adm*@192.0.2.0/24\n"), parts);
    open(&lab, "web1", &drop_in("Match Address 198.51.100.0/24\n  AllowUsers nobody\n"), parts);
    open(&lab, "web1", &drop_in("Port 22\nPort 2222\n"), parts);
    // What can be told at load time is refused there already.
    plan(&lab, "web1", "- sshd: { settings: { Port: 2222 } }\n").ends(65);
}

#[test]
fn keys_sudo_and_what_stands_around_them() {
    let Some(lab) = Lab::boot_one("a closing account") else { return };
    let ours = our_key(&lab, "web1");
    let keys = |text: &str, more: &str| {
        let path = "/home/admin/.ssh/authorized_keys";
        format!("- file: {{ path: {path}, content: {:?}, owner: admin{more} }}\n", format!("{text}\n"))
    };
    let (safe, file) = (", mode: \"0600\"", "file:/home/admin/.ssh/authorized_keys");
    refused(&lab, "web1", &keys(OTHER_KEY, safe), ("key", "our key stands in none", file));
    refused(&lab, "web1", &keys(&format!("from=\"198.51.100.7\" {ours}"), safe), ("key", "from=", file));
    refused(&lab, "web1", &keys(&format!("command=\"date\" {ours}"), safe), ("key", "command=", file));
    refused(&lab, "web1", &keys(&ours, ", mode: \"0666\""), ("key", "0666", file));
    open(&lab, "web1", &keys(&format!("{OTHER_KEY}\n{ours}"), safe), &["key"]);
    open(&lab, "web1", &keys(&format!("restrict,from=\"192.0.2.*\" {ours}"), safe), &["key"]);
    let home = |path: &str, mode: &str| {
        format!("- directory: {{ path: {path}, owner: admin, group: admin, mode: {mode:?} }}\n")
    };
    refused(&lab, "web1", &home("/home/admin", "0777"), ("key", "0777", "directory:/home/admin"));
    open(&lab, "web1", &home("/home/admin", "0711"), &["key"]);
    let others = plan(&lab, "web1", &home("/home/other", "0777")).ends(0);
    assert!(others.json()["hosts"][0].get("way_in").is_none(), "{others}");
    let sudoers = lab.on("web1", "ls /etc/sudoers.d | grep admin").trim().to_owned();
    let granting = format!("/etc/sudoers.d/{sudoers}");
    let gone = format!("- file: {{ path: {granting}, state: absent }}\n");
    refused(&lab, "web1", &gone, ("sudo", "admin", &format!("file:{granting}")));
    let less = "- file: { path: /etc/sudoers.d/zz, content: \"admin ALL=(ALL) PASSWD: ALL\\n\", mode: \"0440\" }\n";
    refused(&lab, "web1", less, ("sudo", "none is known", "file:/etc/sudoers.d/zz"));
    let more = "- file: { path: /etc/sudoers.d/zz, content: \"%adm ALL=(ALL) ALL\\n\", mode: \"0440\" }\n";
    open(&lab, "web1", more, &["sudo"]);
    // The right comes from a group, and the account is taken out of it.
    lab.on("web1", &format!("usermod -aG adm admin; echo '%adm ALL=(ALL) NOPASSWD: ALL' > {granting}"));
    let out = "- user: { name: admin, groups: [users], groups_exclusive: true }\n";
    refused(&lab, "web1", out, ("sudo", "admin", "user:admin"));
    let deny = "- file: { path: /etc/hosts.deny, content: \"sshd: ALL\\n\" }\n";
    refused(&lab, "web1", deny, ("access", "sshd: ALL", "file:/etc/hosts.deny"));
    let pam = "- file: { path: /etc/pam.d/sshd, content: \"account required pam_deny.so\\n\" }\n";
    refused(&lab, "web1", pam, ("access", "pam_deny.so", "file:/etc/pam.d/sshd"));
    let stopped = "- systemd_unit: { name: ssh, active: false }\n";
    refused(&lab, "web1", stopped, ("listening", "ssh.service would not run", "systemd_unit:ssh.service"));
    // What nobody can tell is said, and does not refuse.
    let text = lab.on("web1", "cat /etc/pam.d/sshd");
    let told = plan(&lab, "web1", &format!("- file: {{ path: /etc/pam.d/sshd, content: {:?} }}\n", text + "# more\n"));
    assert_eq!(rulings(&told.ends(0), "web1"), ["access undecided"]);
    // A plan that touches nothing of it tells nothing of it.
    let calm = plan(&lab, "web1", "- file: { path: /etc/motd, content: hello }\n").ends(0);
    assert!(calm.json()["hosts"][0].get("way_in").is_none(), "{calm}");
}

#[test]
fn keys_and_sudo_by_kinds_of_their_own() {
    let Some(lab) = Lab::boot_one("a closing part of a file") else { return };
    let ours = our_key(&lab, "web1");
    let print = lab.on("web1", "ssh-keygen -lf /home/admin/.ssh/authorized_keys | cut -d ' ' -f 2").trim().to_owned();
    let key = format!("authorized_key:admin {print}");
    let item = |fields: &str| format!("- authorized_key: {{ user: admin, {fields} }}\n");
    let exactly = item(&format!("keys: [{OTHER_KEY}], exclusive: true"));
    refused(&lab, "web1", &exactly, ("key", "our key stands in none", "authorized_key:admin keys"));
    let gone = item(&format!("fingerprint: {print:?}, state: absent"));
    refused(&lab, "web1", &gone, ("key", "our key stands in none", &key));
    refused(&lab, "web1", &item(&format!("key: {ours}, command: date")), ("key", "command=", &key));
    refused(&lab, "web1", &item(&format!("key: {ours}, from: [198.51.100.7]")), ("key", "from=", &key));
    open(&lab, "web1", &item(&format!("key: {OTHER_KEY}")), &["key"]);
    open(&lab, "web1", &item(&format!("keys: [{OTHER_KEY}, {ours}], exclusive: true")), &["key"]);
    let line = |what: &str| format!("- line: {{ path: /home/admin/.ssh/authorized_keys, {what}, state: absent }}\n");
    let id = format!("line:/home/admin/.ssh/authorized_keys line {ours}");
    refused(&lab, "web1", &line(&format!("line: {ours}")), ("key", "our key stands in none", &id));
    // What an expression means, only the host's own grep knows.
    assert_eq!(rulings(&plan(&lab, "web1", &line("match: ^ssh-")).ends(0), "web1"), ["key undecided"]);
    let granting = lab.on("web1", "ls /etc/sudoers.d | grep admin").trim().to_owned();
    let gone = format!("- sudoers: {{ name: {granting}, state: absent }}\n");
    refused(&lab, "web1", &gone, ("sudo", "admin", &format!("sudoers:{granting}")));
    let less = "- sudoers: { name: zz, rules: [{ users: [admin], commands: [ALL], run_as: [ALL] }] }\n";
    refused(&lab, "web1", less, ("sudo", "none is known", "sudoers:zz"));
    let more = "- sudoers: { name: zz, rules: [{ users: ['%adm'], commands: [ALL], run_as: [ALL] }] }\n";
    open(&lab, "web1", more, &["sudo"]);
    // The right comes from a group, and the account is taken out of it.
    lab.on("web1", &format!("usermod -aG adm admin; echo '%adm ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{granting}"));
    let out = "- group: { name: adm, members: [daemon], members_exclusive: true }\n";
    refused(&lab, "web1", out, ("sudo", "admin", "group:adm"));
    open(&lab, "web1", &out.replace("daemon", "daemon, admin"), &[]);
}

fn nftables(rule: &str) -> String {
    let text = format!(
        "#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {{\n  chain input {{\n    type filter hook input priority \
         0; policy drop;\n    iif \"lo\" accept\n    ct state established,related accept\n    {rule}\n  }}\n}}\n"
    );
    format!("- file: {{ path: /etc/nftables.conf, mode: \"0755\", content: {text:?} }}\n")
}

#[test]
fn rules_of_nftables_are_read_with_what_they_include() {
    let Some(lab) = Lab::boot_one("a closing nftables") else { return };
    lab.on(
        "web1",
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nftables >/dev/null 2>&1",
    );
    let starts = "- systemd_unit: { name: nftables, active: true, enabled: true }\n";
    let with = |rule: &str| format!("{}{starts}", nftables(rule));
    let file = "file:/etc/nftables.conf";
    refused(&lab, "web1", &with(""), ("firewall", "policy", file));
    refused(&lab, "web1", &with("tcp dport 22 ip saddr 198.51.100.0/24 accept"), ("firewall", "policy", file));
    refused(&lab, "web1", &with("tcp dport { 22, 80 } drop\n tcp dport 22 accept"), ("firewall", "drop", file));
    open(&lab, "web1", &with("tcp dport { 22, 443 } accept"), &["firewall"]);
    let include = with("include \"/etc/nftables.d/*.nft\"");
    let part = |net: &str| {
        format!(
            "- directory: {{ path: /etc/nftables.d }}\n- file: {{ path: /etc/nftables.d/ssh.nft, content: \"ip saddr {net} \
             tcp dport 22 accept\\n\" }}\n{include}"
        )
    };
    refused(&lab, "web1", &part("198.51.100.0/24"), ("firewall", "policy", file));
    let good = part("192.0.2.0/24");
    open(&lab, "web1", &good, &["firewall"]);
    lab.write("case.yaml", &playbook(&good));
    lab.rempart(&["apply", "case.yaml", "--yes"]).ends(0);
    // Only the part changes now; the whole is read with it as it will stand.
    let change =
        "- file: { path: /etc/nftables.d/ssh.nft, content: \"ip saddr 198.51.100.0/24 tcp dport 22 accept\\n\" }\n";
    refused(&lab, "web1", change, ("firewall", "policy", "file:/etc/nftables.d/ssh.nft"));
    // A file that nobody loads closes nothing.
    lab.on("web1", "systemctl disable --now nftables");
    open(&lab, "web1", &nftables(""), &["firewall"]);
}

#[test]
fn the_address_that_counts_is_the_one_that_the_host_sees() {
    let jump = format!("rempart: {{ jump: 'admin@{}' }}", address(0));
    let mut behind = Machine::new("behind1");
    behind.vars = jump;
    let Some(lab) = Lab::boot("a jump host", &[Machine::new("jump1"), behind]) else { return };
    let rule = |from: &str| {
        format!(
            "- package_apt: {{ names: [ufw] }}\n- firewall_rule: {{ allow: 22/tcp, from: {from} }}\n\
             - firewall_ufw: {{ enabled: true, incoming: deny }}\n"
        )
    };
    let seen = open(&lab, "behind1", &rule(&address(0).to_string()), &["firewall"]);
    assert_eq!(seen.json()["hosts"][0]["way_in"]["from"], address(0).to_string(), "{seen}");
    refused(&lab, "behind1", &rule("192.0.2.254"), ("firewall", "policy", "firewall_ufw:ufw"));
    // And for the jump host itself it is the controller's.
    open(&lab, "jump1", &rule("192.0.2.254"), &["firewall"]);
}

#[test]
fn the_family_that_we_come_by_counts() {
    let mut machine = Machine::new("web1");
    machine.vars = "ansible_host: \"fd00::11\"".into();
    let Some(lab) = Lab::boot("a way by IPv6", &[machine]) else { return };
    lab.on("web1", "ip -6 addr add fd00::11/64 dev host0 nodad");
    let near = ["ip", "-6", "addr", "add", "fd00::fe/64", "dev", "lab0", "nodad"].map(str::to_owned);
    assert!(rempart::lab::command(&lab.name, None, &near).unwrap().status().unwrap().success());
    // The machine's name stands for both families.
    lab.write("known_hosts", &lab.known_hosts().replace(&address(0).to_string(), "fd00::11"));
    let inventory = std::fs::read_to_string(lab.folder.path().join("inventory.yaml")).unwrap();
    lab.write("inventory.yaml", &inventory.replace("ansible_host: 192.0.2.11, ", ""));
    let rule = |from: &str, more: &str| {
        playbook(&format!(
            "- package_apt: {{ names: [ufw] }}\n- firewall_rule: {{ allow: 22/tcp, from: {from:?} }}\n\
             - firewall_ufw: {{ enabled: true, incoming: deny{more} }}\n"
        ))
    };
    for (text, ruling) in [
        (rule("fd00::/64", ""), "open"),
        (rule("any", ""), "open"),
        (rule("192.0.2.0/24", ""), "closed"),
        (rule("any", ", ipv6: false"), "closed"),
    ] {
        lab.write("case.yaml", &text);
        let code = if ruling == "open" { 0 } else { 5 };
        let told = lab.rempart(&["plan", "case.yaml", "--json", "--known-hosts", "known_hosts"]).ends(code);
        assert_eq!(told.json()["hosts"][0]["way_in"]["from"], "fd00::fe", "{told}");
        assert_eq!(rulings(&told, "web1"), [format!("firewall {ruling}")], "{text}{told}");
    }
    // And it is so.
    lab.write("case.yaml", &rule("fd00::/64", ""));
    lab.rempart(&["apply", "case.yaml", "--yes", "--known-hosts", "known_hosts"]).ends(0);
    lab.rempart(&["plan", "case.yaml", "--detailed-exitcode", "--known-hosts", "known_hosts"]).ends(0);
}

#[test]
fn a_table_of_nftables_that_closes_the_way_in_is_refused() {
    let Some(lab) = Lab::boot("a closing table", &[Machine::new("web1")]) else { return };
    lab.on(
        "web1",
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nftables >/dev/null 2>&1",
    );
    let table = |rules: &str| format!("- firewall_nftables: {{ rules: [{rules}] }}");
    let ours = "firewall_nftables:rempart";
    refused(&lab, "web1", &table(""), ("firewall", "policy of input: DROP", ours));
    refused(&lab, "web1", &table("{ deny: 22/tcp }, { allow: any }"), ("firewall", "tcp dport 22 drop", ours));
    refused(
        &lab,
        "web1",
        &table("{ allow: 22/tcp, from: 203.0.113.0/24 }"),
        ("firewall", "policy of input: DROP", ours),
    );
    let both =
        plan(&lab, "web1", &format!("{}\n- firewall_ufw: {{ enabled: true }}", table("{ allow: 22/tcp }"))).ends(65);
    assert!(both.text().contains("two resources manage the host's firewall"), "{both}");
    let good = "- firewall_nftables: { rules: [{ allow: 22/tcp }], outgoing: deny, routed: deny }";
    open(&lab, "web1", good, &["firewall"]);
    lab.rempart(&["apply", "case.yaml", "--yes", "--limit", "web1"]).ends(0);
    assert!(lab.on("web1", "nft list table inet rempart").contains("policy drop"));
    lab.on("web1", "systemctl is-enabled rempart-nftables.service && systemctl restart rempart-nftables.service");
    open(&lab, "web1", "- firewall_nftables: { state: absent }", &["firewall"]);
}
