//! `rempart secrets scan --host` on real hosts: what is planted is found, nothing is shown, and nothing is left behind.

use crate::fixture::Lab;

const PLANT: &str = r#"
mkdir -p /srv/app /home/admin/.ssh /home/admin/.config/Claude /etc/systemd/system/app.service.d
printf 'PORT=80\nDB_PASSWORD=Tr0ub4dor-77\n' > /srv/app/.env
printf '{"mcpServers":{"a":{"env":{"API_KEY":"kJ83hdq1mQzs7"}}}}\n' > /home/admin/.config/Claude/claude_desktop_config.json
printf '[Service]\nEnvironment=TOKEN_SECRET=kQ92xLw04bZp\n' > /etc/systemd/system/app.service.d/env.conf
printf 'mysql -u root -pS0mmer2026x app\n' > /root/.bash_history
printf 'db:5432:*:app:W1nter2027y\n' > /root/.pgpass; chmod 600 /root/.pgpass
printf 'DB_PASSWORD=${FROM_ELSEWHERE}\n' > /srv/app/clean.env
ssh-keygen -q -t ed25519 -N '' -f /home/admin/.ssh/id_ed25519
chmod 644 /srv/app/.env
"#;

const VALUES: [&str; 5] = ["Tr0ub4dor-77", "kJ83hdq1mQzs7", "kQ92xLw04bZp", "S0mmer2026x", "W1nter2027y"];

#[test]
fn what_is_planted_on_a_host_is_found_and_never_shown() {
    let Some(lab) = Lab::boot_one("secrets") else { return };
    lab.on("web1", PLANT);
    // The marker in the home is sudo's own.
    let new =
        "find /etc /srv /root /home /var/tmp /tmp /dev/shm -newer /root/.pgpass -type f ! -name '.sudo_as*' | sort";
    let before = lab.on("web1", new);
    let ran = lab.rempart(&["secrets", "scan", "--host", "all", "--json"]);
    let json = ran.json();
    let found: Vec<(&str, &str)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["place"].as_str().unwrap(), finding["rule"].as_str().unwrap()))
        .collect();
    for wanted in [
        ("web1:/srv/app/.env", "named-value"),
        ("web1:/home/admin/.config/Claude/claude_desktop_config.json", "named-value"),
        ("web1:/etc/systemd/system/app.service.d/env.conf", "named-value"),
        ("web1:/root/.bash_history", "command-password"),
        ("web1:/root/.pgpass", "pgpass-login"),
        ("web1:/home/admin/.ssh/id_ed25519", "private-key"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}: {ran}");
    }
    assert_eq!(found.len(), 6, "more was found than was planted: {ran}");
    let text = lab.rempart(&["secrets", "scan", "--host", "all"]).ends(2);
    for said in [ran.text(), text.text()] {
        assert!(VALUES.iter().all(|value| !said.contains(value)), "a value is shown: {said}");
    }
    assert!(text.out.contains("the file is 644 of root, which everybody on the host may read"), "{text}");
    assert_eq!(before, lab.on("web1", new), "a look left something behind");
}

#[test]
fn without_root_what_cannot_be_read_is_no_success() {
    let Some(lab) = Lab::boot_one("secrets without root") else { return };
    lab.on("web1", PLANT);
    let inventory = std::fs::read_to_string(lab.folder.path().join("inventory.yaml")).unwrap();
    lab.write(
        "inventory.yaml",
        &inventory.replace("ansible_user: admin", "ansible_user: admin, ansible_become: false"),
    );
    let ran = lab.rempart(&["secrets", "scan", "--host", "all", "--json"]).ends(1);
    let json = ran.json();
    let not: Vec<&str> =
        json["not_looked_at"].as_array().unwrap().iter().map(|not| not["place"].as_str().unwrap()).collect();
    assert!(not.contains(&"web1:/root"), "{ran}");
    assert!(json["findings"].as_array().unwrap().iter().any(|found| found["place"] == "web1:/srv/app/.env"), "{ran}");
}
