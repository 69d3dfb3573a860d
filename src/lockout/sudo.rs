//! Owns what sudoers makes of us: whether we may start a shell as root, as `sudo -l -U USER` tells it.

use super::verdict::Found;

const FIX: &str = "keep a line such as `NAME ALL=(ALL) NOPASSWD: ALL` for the account that rempart logs in with";

/// What sudo says of the login user; `has_password` = a password for sudo is known.
pub(super) fn judge(listing: &str, user: &str, has_password: bool) -> Found {
    if listing.contains(&format!("User {user} is not allowed to run sudo on ")) {
        return Found::Closed(format!("sudoers lets {user} run nothing"), FIX);
    }
    let Some((defaults, grants)) = listing.split_once(&format!("User {user} may run the following commands on "))
    else {
        return Found::Undecided("what sudo says of us was not understood".into());
    };
    let defaults: Vec<&str> = defaults.split([',', '\n']).map(str::trim).collect();
    if defaults.contains(&"requiretty") {
        return Found::Closed("sudoers wants a terminal (requiretty)".into(), "put `Defaults:NAME !requiretty` there");
    }
    let free = defaults.contains(&"!authenticate");
    let mut last: Option<(bool, bool, String)> = None;
    for line in grants.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()) {
        let Some((runas, commands)) = line.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            return Found::Undecided(format!("sudo's line `{line}` was not understood"));
        };
        let users = runas.split(':').next().unwrap_or("");
        let as_root = users.split(',').map(str::trim).any(|name| matches!(name, "ALL" | "root" | "#0"));
        if !as_root || users.contains("!root") {
            continue;
        }
        let mut needs_password = true;
        for command in commands.split(", ") {
            let mut command = command.trim();
            while let Some((tag, rest)) = command.split_once(": ").filter(|(tag, _)| is_tag(tag)) {
                match tag {
                    "NOPASSWD" => needs_password = false,
                    "PASSWD" => needs_password = true,
                    "NOEXEC" => return Found::Undecided(format!("sudo's line `{line}` keeps a shell from working")),
                    _ => {}
                }
                command = rest.trim();
            }
            let (denied, what) = command.strip_prefix('!').map_or((false, command), |what| (true, what));
            let program = what.split(' ').next().unwrap_or("");
            if matches!(program, "ALL" | "/bin/sh" | "/usr/bin/sh") {
                last = Some((!denied, needs_password, line.to_owned()));
            } else if program.contains(['*', '?', '[']) || program.ends_with('/') {
                return Found::Undecided(format!("sudo's line `{line}` may or may not mean a shell"));
            }
        }
    }
    match last {
        None => Found::Closed(format!("sudoers lets {user} start no shell as root"), FIX),
        Some((false, _, line)) => Found::Closed(format!("sudoers takes the shell away: {line}"), FIX),
        Some((true, true, line)) if !free && !has_password => {
            let by = format!("sudo would ask for a password, and none is known: {line}");
            Found::Closed(by, "keep NOPASSWD for the account, or give the password with -K or ansible_become_password")
        }
        Some((true, _, line)) => Found::Open(format!("sudoers: {line}")),
    }
}

fn is_tag(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(defaults: &str, grants: &str, has_password: bool) -> Found {
        let listing = format!(
            "Matching Defaults entries for admin on web1:\n    env_reset, {defaults}use_pty\n\nUser admin may run the \
             following commands on web1:\n{grants}"
        );
        judge(&listing, "admin", has_password)
    }

    #[test]
    fn what_sudo_lists_is_understood() {
        let all = "    (ALL : ALL) NOPASSWD: ALL\n";
        assert!(matches!(told("", all, false), Found::Open(_)));
        assert!(matches!(told("", "    (ALL) ALL\n", true), Found::Open(_)));
        assert!(matches!(told("!authenticate, ", "    (ALL) ALL\n", false), Found::Open(_)));
        let closed = |grants: &str| assert!(matches!(told("", grants, false), Found::Closed(..)), "{grants}");
        closed("    (ALL) ALL\n");
        closed("    (root) NOPASSWD: /usr/bin/apt-get, /bin/ls\n");
        closed("    (www-data) NOPASSWD: ALL\n");
        closed(&format!("{all}    (ALL) NOPASSWD: !/bin/sh\n"));
        closed(&format!("{all}    (ALL) PASSWD: ALL\n"));
        assert!(matches!(told("requiretty, ", all, false), Found::Closed(..)));
        assert!(matches!(told("", "    (root) NOPASSWD: /bin/*\n", false), Found::Undecided(_)));
        assert!(matches!(judge("User admin is not allowed to run sudo on web1.\n", "admin", true), Found::Closed(..)));
        assert!(matches!(judge("sudo: bad\n", "admin", true), Found::Undecided(_)));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}") {
            judge(&text, "admin", false);
            told("", &text, false);
        }
    }
}
