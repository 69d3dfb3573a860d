//! Owns an audit rule: which ones can be written, and one form in which what was written and what the kernel tells are
//! the same. `auditctl -l` tells in words of its own: a key is `-F key=`, a watch is `-w` whatever it was written as,
//! syscalls are one list, and users are numbers.

use std::collections::BTreeSet;

// Which lists take no syscalls.
const WITHOUT_SYSCALLS: [&str; 3] = ["user", "task", "exclude"];
const LISTS: [&str; 6] = ["task", "exit", "user", "exclude", "filesystem", "io_uring"];
// What the kernel knows by number alone, so that a name here would never be the same as there.
const IDS: [&str; 14] = [
    "auid", "loginuid", "uid", "euid", "suid", "fsuid", "obj_uid", "gid", "egid", "sgid", "fsgid", "obj_gid", "pid",
    "ppid",
];
// The longest first.
const OPERATORS: [&str; 8] = ["!=", ">=", "<=", "&=", "=", ">", "<", "&"];

/// One form for each rule.
///
/// # Errors
/// Why it is no rule that can be compared.
pub(super) fn canonical(line: &str) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let (mut action, mut watch) = (None, None);
    let mut syscalls = BTreeSet::new();
    let mut fields = BTreeSet::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("nothing stands behind {word}"));
        match word {
            "-a" | "-A" => action = Some(self::action(value()?)?),
            "-w" => watch = Some(value()?.to_owned()),
            "-p" => {
                fields.insert(format!("perm={}", permissions(value()?)?));
            }
            "-k" => {
                fields.insert(format!("key={}", value()?));
            }
            "-S" => syscalls.extend(value()?.split(',').map(str::to_owned)),
            "-F" => {
                fields.insert(field(value()?)?);
            }
            "-C" => {
                fields.insert(format!("-C {}", value()?));
            }
            other => return Err(format!("`{other}` is no part of a rule")),
        }
    }
    let plain = |fields: &BTreeSet<String>| {
        let of_watch = |field: &String| ["path=", "dir=", "perm=", "key="].iter().any(|start| field.starts_with(start));
        fields.iter().all(of_watch) && fields.iter().any(|field| field.starts_with("perm="))
    };
    match (action, watch) {
        (Some(_), Some(_)) | (None, None) => Err("a rule begins with -w, or with -a and a list".into()),
        (None, Some(path)) => {
            if !path.starts_with('/') || !syscalls.is_empty() {
                return Err("a watch is -w with an absolute path, -p and -k".into());
            }
            if !fields.iter().any(|field| field.starts_with("perm=")) {
                fields.insert("perm=rwxa".into());
            }
            if !plain(&fields) {
                return Err("a watch has no other parts than -p and -k".into());
            }
            Ok(watched(&path, &fields))
        }
        (Some(action), None) => {
            let all = syscalls.is_empty() || syscalls.contains("all");
            let path = fields.iter().find_map(|field| field.strip_prefix("path=").or(field.strip_prefix("dir=")));
            if let (Some(path), true, true, "always,exit") = (path, all, plain(&fields), action.as_str()) {
                let rest = fields.iter().filter(|field| field.starts_with("perm=") || field.starts_with("key="));
                return Ok(watched(path, &rest.cloned().collect()));
            }
            let takes_none = WITHOUT_SYSCALLS.iter().any(|list| action.ends_with(&format!(",{list}")));
            let syscalls = match (takes_none, all) {
                (true, _) => String::new(),
                (false, true) => " -S all".to_owned(),
                (false, false) => format!(" -S {}", syscalls.into_iter().collect::<Vec<_>>().join(",")),
            };
            let fields: String = fields.iter().map(|field| format!(" -F {field}")).collect();
            Ok(format!("-a {action}{syscalls}{fields}"))
        }
    }
}

fn watched(path: &str, fields: &BTreeSet<String>) -> String {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let fields: String = fields.iter().map(|field| format!(" -F {field}")).collect();
    format!("-w {path}{fields}")
}

fn action(text: &str) -> Result<String, String> {
    let (one, two) = text.split_once(',').ok_or_else(|| format!("`{text}` is no action and list"))?;
    let (action, list) = if ["always", "never"].contains(&one) { (one, two) } else { (two, one) };
    if !["always", "never"].contains(&action) || !LISTS.contains(&list) {
        return Err(format!("`{text}` is no action and list, such as always,exit"));
    }
    Ok(format!("{action},{list}"))
}

fn permissions(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.chars().all(|c| "rwxa".contains(c)) {
        return Err(format!("`{text}` is not made of r, w, x and a"));
    }
    Ok("rwxa".chars().filter(|c| text.contains(*c)).collect())
}

fn field(text: &str) -> Result<String, String> {
    let at = text.find(|c: char| "!><&=".contains(c)).ok_or_else(|| format!("`{text}` is no comparison"))?;
    let (name, rest) = text.split_at(at);
    let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator)).unwrap_or(&"=");
    let value = rest.strip_prefix(operator).unwrap_or(rest);
    if name.is_empty() || value.is_empty() {
        return Err(format!("`{text}` is no comparison"));
    }
    let name = if name == "loginuid" { "auid" } else { name };
    let value = match (name, value) {
        ("perm", value) => permissions(value)?,
        ("success", "yes") => "1".to_owned(),
        ("success", "no") => "0".to_owned(),
        ("a0" | "a1" | "a2" | "a3", value) => number(value)?.to_string(),
        (name, "unset" | "4294967295") if IDS.contains(&name) => "-1".to_owned(),
        (name, value) if IDS.contains(&name) => value
            .parse::<i64>()
            .map_err(|_| format!("`{value}` is no number, and the kernel knows no names"))?
            .to_string(),
        ("dir" | "path", value) if value.len() > 1 => value.trim_end_matches('/').to_owned(),
        (_, value) => value.to_owned(),
    };
    Ok(format!("{name}{operator}{value}"))
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn what_is_written_and_what_the_kernel_tells_are_the_same() {
        for (written, told) in [
            ("-w /etc/passwd -p wa -k identity", "-w /etc/passwd -p wa -k identity"),
            ("-w /etc/ssh/ -p aw -k ssh", "-w /etc/ssh -p wa -k ssh"),
            ("-w /etc/x", "-w /etc/x -p rwxa"),
            ("-a always,exit -F path=/etc/x -F perm=wa -F key=k", "-w /etc/x -p wa -k k"),
            (
                "-a exit,always -F arch=b64 -S settimeofday -S adjtimex -k time",
                "-a always,exit -F arch=b64 -S adjtimex,settimeofday -F key=time",
            ),
            (
                "-a always,exit -F path=/usr/bin/sudo -F perm=x -F auid>=1000 -F auid!=unset -k priv",
                "-a always,exit -S all -F path=/usr/bin/sudo -F perm=x -F auid>=1000 -F auid!=-1 -F key=priv",
            ),
            ("-a always,exclude -F msgtype=CWD", "-a always,exclude -F msgtype=CWD"),
            (
                "-a always,exit -F arch=b64 -S openat -F a2&0100 -F success=no",
                "-a always,exit -F arch=b64 -S openat -F a2&0x40 -F success=0",
            ),
            ("-a never,user -F uid=33", "-a never,user -F uid=33"),
        ] {
            assert_eq!(canonical(written), canonical(told), "{written}");
            assert!(canonical(told).is_ok());
        }
        assert_ne!(canonical("-w /etc/passwd -p wa"), canonical("-w /etc/passwd -p r"));
        assert_ne!(canonical("-a always,exit -S all -F uid=1"), canonical("-a never,exit -S all -F uid=1"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "-D",
            "-e 2",
            "-w etc",
            "-w /x -S open",
            "-a always -S open",
            "-a always,exit -F uid=root",
            "-w",
            "-b 8192",
            "-a always,exit -F x",
            "/etc/passwd",
            "-w /x -p z",
            "-a always,exit -w /x",
        ] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }
}
