//! Values full of quotes, newlines, `$()` and escape sequences: written exactly, never executed, never sent raw to a
//! terminal.

use crate::fixture::{Lab, Machine};

/// Each would do something if anybody took it for shell, sed, printf, a template or a terminal's command.
const VALUES: [&str; 16] = [
    "$(touch /pwned1)",
    "`touch /pwned2`",
    "'; touch /pwned3; '",
    "\"; touch /pwned4; \"",
    "a\n'\ntouch /pwned5\n'\n",
    "\\'; touch /pwned6; \\'",
    "${IFS}$(touch${IFS}/pwned7)",
    "%s%n%d \\0 \\x41 \\n",
    "& \\1 / | ; < > * ? [a-z] ~ !$ !!",
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{9b}31m",
    "right\u{202e}to\u{2066}left\u{7f}",
    "-rf --help -",
    "\r\nX: y\r\n",
    "EOF\nRESTORE\nUNIT\nesac\n}\n;;\n",
    "\t lead and trail \t",
    "ünïcödé 😀 \u{0}end",
];

/// As JSON, and so as YAML, in which no control character may stand as it is.
fn json(value: &str) -> String {
    let escape = |c: char| match u16::try_from(u32::from(c)) {
        Ok(unit @ (0x7f..0xa0 | 0x2000..0x2070)) => format!("\\u{unit:04x}"),
        _ => c.to_string(),
    };
    serde_json::to_string(value).unwrap().chars().map(escape).collect()
}

fn is_clean(text: &str) {
    let raw = text
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    assert!(raw.is_none(), "raw {raw:?} in the output: {text}");
}

#[test]
fn hostile_values_are_written_exactly_and_never_executed() {
    // Also where the values come from the inventory, and on a host whose login asks for a hostile password.
    let machines = [Machine::new("web1"), Machine::new("pass1").with_password("a'b\"c$(touch /pwned8)`\\ %")];
    let Some(lab) = Lab::boot("hostile values", &machines) else { return };
    // A NUL can stand in no YAML text of a file on a host; the loader's refusal is for other tests.
    let values: Vec<String> = VALUES.iter().map(|value| value.replace('\u{0}', "")).collect();
    let list: Vec<String> = values.iter().map(|value| json(value)).collect();
    lab.write("group_vars/all.yaml", &format!("hostile: [{}]\n", list.join(", ")));
    let names: Vec<String> = values
        .iter()
        .filter(|value| !value.contains(['\n', '\r', '/']))
        .filter(|value| !value.chars().any(char::is_control) && !value.contains(['\u{202e}', '\u{2066}']))
        .cloned()
        .collect();
    let mut items = String::from(
        "- directory: { path: /srv/hostile }\n\
         - file: { path: \"/srv/hostile/{{ n }}\", content: \"{{ hostile[n] }}\" }\n  each: { n: \"range(hostile | length) | list\" }\n",
    );
    for (at, name) in names.iter().enumerate() {
        items
            .push_str(&format!("- file: {{ path: {}, content: \"{at}\" }}\n", json(&format!("/srv/hostile/n {name}"))));
    }
    lab.playbook(&items);
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    is_clean(&plan.text());
    let plan = lab.rempart(&["plan", "playbook.yaml", "--json"]).ends(0);
    is_clean(&plan.text());
    let apply = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(0);
    is_clean(&apply.text());
    for host in ["web1", "pass1"] {
        for (at, value) in values.iter().enumerate() {
            let hex = lab.on(host, &format!("od -An -v -tx1 /srv/hostile/{at} | tr -d ' \\n'"));
            let wanted: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, wanted, "{host}: {value:?}");
        }
        let listed = lab.on(host, "ls -1 --quoting-style=literal /srv/hostile");
        for name in &names {
            assert!(listed.lines().any(|line| line == format!("n {name}")), "{host}: {name:?} in {listed}");
        }
        assert_eq!(
            lab.try_on(host, "ls -d /pwned* /srv/pwned* /home/*/pwned* /root/pwned* 2>/dev/null").out,
            "",
            "{host}"
        );
    }
    assert!(!std::path::Path::new("/pwned1").exists() && !std::path::Path::new("/pwned8").exists());
    lab.drift().ends(0);
    // What a host says is hostile too: content, a failed command's output, and a name that somebody else made.
    lab.on("web1", "printf '\\033]0;owned\\007\\033[2J$(touch /pwned9)\\n' > /srv/hostile/0");
    let drift = lab.rempart(&["drift", "playbook.yaml"]).ends(2);
    is_clean(&drift.text());
    lab.playbook("- command: { name: shouts, run: \"printf '\\\\033]0;owned\\\\007\\\\033[2J'; printf '\\\\033[31m' >&2; exit 9\", creates: /srv/never }");
    let failed = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(failed.out.contains("owned"), "the host's words are lost: {failed}");
    is_clean(&failed.text());
    let failed = lab.rempart(&["apply", "playbook.yaml", "--yes", "--color", "always"]).ends(1);
    assert!(!failed.text().contains("\u{1b}]0;") && !failed.text().contains("\u{1b}[2J"), "{failed}");
}
