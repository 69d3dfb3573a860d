//! Several ways to one host: which one is taken, that it is shown, judged and kept, and what `exec` may do by it.

use crate::fixture::{Lab, address};

fn inventory(lab: &Lab, ways: &str) {
    let at = address(0);
    let text = format!(
        "all:\n  hosts:\n    web1: {{ ansible_host: {at}, token: !secret t0ken-of-web1, rempart: {{ connect: [{ways}] }} }}\n"
    );
    lab.write("inventory.yaml", &text);
}

#[test]
fn the_way_that_leads_in_is_shown_and_judged_and_confirms() {
    let Some(lab) = Lab::boot_one("several ways to one host") else { return };
    // No key of the other port is known: it is the host's, whatever port it is asked at.
    inventory(&lab, "'nobody@', 'admin@:2222', 'admin@:22'");
    lab.playbook("- file: { path: /etc/rp-ways, content: \"1\\n\" }\n");
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert_eq!(plan.lines(&["web1", "reached as admin@192.0.2.11:22, not by its first way"]).len(), 1, "{plan}");
    assert_eq!(plan.lines(&["nobody@192.0.2.11:22", "login refused"]).len(), 1, "{plan}");
    assert_eq!(plan.lines(&["admin@192.0.2.11:2222", "connection refused"]).len(), 1, "{plan}");
    let json = lab.plan().ends(2).json();
    assert_eq!(json["notes"][0]["entry"]["way"], "admin@192.0.2.11:22", "{json}");
    let applied = lab.apply().ends(0);
    assert_eq!(applied.json()["hosts"][0]["entry"]["way"], "admin@192.0.2.11:22", "{applied}");

    // The lock-out is judged for the port that we came by, and for no other.
    lab.playbook("- sshd: { settings: { Port: [\"2222\"] } }\n");
    inventory(&lab, "'admin@:2222', 'admin@:22'");
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(5);
    assert!(!plan.lines(&["-> 192.0.2.11:22 as admin", "WOULD BE CLOSED"]).is_empty(), "{plan}");
    lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(5);
    // Both ports: the guard's fresh connection comes by the way that was taken; the next plan by the first one.
    lab.playbook("- sshd: { settings: { Port: [\"22\", \"2222\"] } }\n");
    lab.apply().ends(0);
    let plan = lab.rempart(&["plan", "playbook.yaml", "--detailed-exitcode"]).ends(0);
    assert!(plan.lines(&["not by its first way"]).is_empty(), "{plan}");

    // A wrong key on the way stops it all, though the other way is as it was.
    let known = lab.write("wrong-known-hosts", "");
    lab.on("web1", "ssh-keygen -q -t ed25519 -N '' -f /tmp/other");
    let other = lab.on("web1", "cut -d ' ' -f 1,2 /tmp/other.pub");
    let own = lab.on("web1", "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub");
    let lines = format!("[192.0.2.11]:2222 {}\n192.0.2.11 {}\n", other.trim(), own.trim());
    std::fs::write(&known, lines).unwrap();
    let mut command = lab.command(&["plan", "playbook.yaml"]);
    command.env("REMPART_KNOWN_HOSTS", &known);
    let ran = crate::fixture::Running::start(command).end(std::time::Duration::from_secs(60)).ends(3);
    assert!(ran.text().contains("HAS CHANGED") && ran.text().contains("was not tried"), "{ran}");
    exec(&lab);
    commit(&lab);
}

// What another way lets in says nothing of the one that the run came by, and may have closed.
fn commit(lab: &Lab) {
    // A playbook that leaves out the port of the first way is refused before anybody connects.
    inventory(lab, "'nobody@:2222', 'admin@:22', 'admin@:2222'");
    lab.playbook("- sshd: { settings: { Port: [\"2222\"] } }\n");
    let closing = ["apply", "playbook.yaml", "--yes", "--allow-lockout", "--no-confirm", "--confirm-within", "120"];
    lab.rempart(&closing).ends(2);
    let ran = lab.rempart(&["commit"]).ends(1);
    assert!(ran.out.contains("not confirmed: the run came by admin@192.0.2.11:22"), "{ran}");
    lab.on("web1", "test -e /var/lib/rempart/guard/armed");
    inventory(lab, "'admin@:2222'");
    let ran = lab.rempart(&["commit"]).ends(0);
    assert!(ran.out.contains("confirmed: the change stays; the run came by admin@192.0.2.11:22"), "{ran}");
    lab.on("web1", "! test -e /var/lib/rempart/guard");
}

fn exec(lab: &Lab) {
    let ran =
        lab.rempart(&["exec", "web1", "--json", "--", "sh", "-c", "id -un; echo t0ken-of-web1; echo bad >&2; exit 3"]);
    let told = ran.ends(1).json()["hosts"][0].clone();
    assert_eq!((told["status"].as_u64(), told["stderr"].as_str()), (Some(3), Some("bad\n")), "{told}");
    assert_eq!(told["stdout"], "admin\n(secret token)\n");
    // What it leaves in the background holds nobody up.
    let ran = lab.rempart(&["exec", "web1", "--", "sh", "-c", "sleep 61 & echo left"]).ends(0);
    assert!(ran.out.contains("left") && ran.took.as_secs() < 20, "{ran}");
    // As the login user it cannot become more than that, and it is held: the lab's hosts have user namespaces for accounts.
    let write = "touch /tmp/rp-exec; touch ~/rp-exec; sudo -n true; echo $?";
    let ran = lab.rempart(&["exec", "web1", "--json", "--", "sh", "-c", write]).ends(0);
    let told = ran.json()["hosts"][0].clone();
    assert_eq!(told["read_only"], true, "{told}");
    assert_eq!(lab.try_on("web1", "ls /tmp/rp-exec /home/admin/rp-exec 2>/dev/null").out, "", "{told}");
    assert_ne!(told["stdout"], "0\n", "sudo worked: {told}");
    // Root writes nothing either.
    let write = "id -u; touch /etc/rp-exec /tmp/rp-root /root/rp /run/rp /run/systemd/system/rp.service; echo 1 >/proc/sys/net/ipv4/ip_forward; echo $?";
    let ran = lab.rempart(&["exec", "web1", "--become", "--json", "--", "sh", "-c", write]).ends(0);
    let told = ran.json()["hosts"][0].clone();
    let said = told["stdout"].as_str().unwrap();
    assert!(told["read_only"] == true && said.starts_with("0\n") && said != "0\n0\n", "{told}");
    assert_eq!(
        lab.try_on("web1", "ls /etc/rp-exec /tmp/rp-root /root/rp /run/rp /run/systemd/system/rp.service 2>/dev/null")
            .out,
        ""
    );
    // A tool that takes its lock before it looks gets it.
    lab.on("web1", "touch /run/ufw.lock");
    lab.rempart(&["exec", "web1", "--become", "--", "sh", "-c", ": >/run/ufw.lock"]).ends(0);
    // The same sandbox holds what a playbook asks.
    let asks = "touch /etc/rp-plan /tmp/rp-plan /run/rp-plan; false";
    lab.playbook(&format!("- command: {{ name: peek, run: \"true\", unless: \"{asks}\" }}\n"));
    lab.rempart(&["plan", "playbook.yaml", "--detailed-exitcode"]).ends(2);
    assert_eq!(lab.try_on("web1", "ls /etc/rp-plan /tmp/rp-plan /run/rp-plan 2>/dev/null").out, "");
    let ran = lab.rempart(&["exec", "web1", "--within", "1", "--", "sleep", "20"]).ends(1);
    assert!(ran.out.contains("it was ended after 1 s") && ran.took.as_secs() < 15, "{ran}");
    let ran = lab.rempart(&["exec", "web1", "--", "printf", "a\\033[2Jb\\n"]).ends(0);
    assert!(ran.out.contains("a\\u{1b}[2Jb"), "{ran}");
    let ran = lab.rempart(&["exec", "web1", "-e", "ansible_host=192.0.2.77", "-T", "2", "--", "true"]);
    assert_eq!(ran.code, 3, "{ran}");
}
