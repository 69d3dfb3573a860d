//! How keys and their options are written in a playbook, which are refused, and how they are told.

use crate::resource::{AuthorizedLine, Fault, FieldValue, Fields};

// What sshd takes today; it refuses the rest anyway, as ssh-dss.
#[rustfmt::skip]
const ALGORITHMS: &[&str] = &[
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
];

// Of sshd(8). A line with any other is refused by sshd, and with it the key.
#[rustfmt::skip]
const FLAGS: &[&str] = &[
    "agent-forwarding", "cert-authority", "no-agent-forwarding", "no-port-forwarding", "no-pty", "no-touch-required",
    "no-user-rc", "no-x11-forwarding", "port-forwarding", "pty", "restrict", "user-rc", "verify-required", "x11-forwarding",
];
const VALUED: &[&str] = &["environment", "expiry-time", "permitlisten", "permitopen", "principals", "tunnel"];

/// The keys of an item.
pub(super) fn lines(key: &Option<String>, keys: &[String]) -> Result<Vec<AuthorizedLine>, Fault> {
    let mut all: Vec<AuthorizedLine> = Vec::new();
    for (field, text) in key.iter().map(|key| ("key", key)).chain(keys.iter().map(|key| ("keys", key))) {
        let line = line(field, text)?;
        if field == "key" && !line.options.is_empty() {
            return Err(
                Fault::new("key", "it has options before it").fix("write them in `from`, `command` and `options`")
            );
        }
        if all.iter().any(|known| known.blob == line.blob) {
            return Err(Fault::new("keys", format!("{} stands twice in the list", line.fingerprint())));
        }
        all.push(line);
    }
    Ok(all)
}

fn line(field: &'static str, text: &str) -> Result<AuthorizedLine, Fault> {
    let bad = |why: String| {
        Err(Fault::new(field, why)
            .fix("write it as it stands in the file that ends in .pub: `ssh-ed25519 AAAA... NAME`"))
    };
    if text.chars().any(char::is_control) {
        return bad("it holds a control character: one key is one line".into());
    }
    if text.contains("PRIVATE KEY") {
        return bad("this is a private key, which belongs to nobody else".into());
    }
    let Some(line) = AuthorizedLine::read(text) else { return bad("it is not a public key".into()) };
    if !ALGORITHMS.contains(&line.algorithm.as_str()) {
        return bad(format!("sshd takes no key of the type `{}`", line.algorithm.escape_debug()));
    }
    if !line.is_whole() {
        return bad("the key is cut short, or something was added to it".into());
    }
    for (name, value) in &line.options {
        option(field, name, (!value.is_empty()).then_some(value.as_str()))?;
    }
    Ok(line)
}

/// The options of an item's own fields.
pub(super) fn own_options(
    from: &[String],
    command: Option<&str>,
    options: &[String],
) -> Result<Vec<(String, String)>, Fault> {
    let mut all = Vec::new();
    for pattern in from {
        let fine = |c: char| c.is_ascii_alphanumeric() || "!.:*?/-_%".contains(c);
        if pattern.is_empty() || !pattern.chars().all(fine) {
            return Err(Fault::new("from", format!("`{}` is no address, network or name", pattern.escape_debug())));
        }
    }
    if !from.is_empty() {
        if from.iter().all(|pattern| pattern.starts_with('!')) {
            return Err(Fault::new("from", "it only says from where not, so the key would be taken from nowhere"));
        }
        all.push(("from".to_owned(), from.join(",")));
    }
    if let Some(command) = command {
        option("command", "command", Some(command))?;
        all.push(("command".to_owned(), command.to_owned()));
    }
    for text in options {
        let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
        let name = name.to_ascii_lowercase();
        if matches!(name.as_str(), "from" | "command") {
            return Err(Fault::new("options", format!("`{name}` has a field of its own")));
        }
        option("options", &name, value)?;
        all.push((name, value.unwrap_or_default().to_owned()));
    }
    Ok(all)
}

fn option(field: &'static str, name: &str, value: Option<&str>) -> Result<(), Fault> {
    let named = VALUED.contains(&name) || matches!(name, "from" | "command");
    match value {
        None if FLAGS.contains(&name) => return Ok(()),
        Some(_) if named => {}
        _ => {
            let why = format!("`{}` is no option of sshd's, or has a value where it takes none", name.escape_debug());
            return Err(Fault::new(field, why).fix("sshd would refuse the whole line; see AUTHORIZED_KEYS in sshd(8)"));
        }
    }
    let value = value.unwrap_or_default();
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Fault::new(field, format!("the value of `{name}` is empty, or holds a control character")));
    }
    // sshd would read on over the closing quote.
    if value.ends_with('\\') {
        return Err(Fault::new(field, format!("the value of `{name}` ends with `\\`, which cannot be written")));
    }
    Ok(())
}

/// Whether it is one.
pub(super) fn fingerprint(text: &str) -> Result<(), Fault> {
    let sum = text.strip_prefix("SHA256:").unwrap_or_default();
    if sum.len() == 43 && sum.chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c)) {
        return Ok(());
    }
    Err(Fault::new("fingerprint", "it is not as `ssh-keygen -l` prints it").fix("write SHA256: and 43 letters"))
}

/// What the options come to, by field. Their order means nothing to sshd.
pub(super) fn option_fields(options: &[(String, String)]) -> Fields {
    let value = |wanted: &str| options.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let others = options.iter().filter(|(name, _)| !matches!(name.as_str(), "from" | "command"));
    let text =
        |(name, value): &(String, String)| if value.is_empty() { name.clone() } else { format!("{name}={value}") };
    let mut others: Vec<String> = others.map(text).collect();
    others.sort_unstable();
    Fields::from([
        ("from".to_owned(), FieldValue::text(value("from"))),
        ("command".to_owned(), FieldValue::text(value("command"))),
        ("options".to_owned(), FieldValue::list(others)),
    ])
}

/// A key with its options in few words, without its comment.
pub(super) fn told(line: &AuthorizedLine) -> String {
    let mut options = line.options.clone();
    options.sort_unstable();
    let options = AuthorizedLine { options, ..line.clone() }.options_text();
    let space = if options.is_empty() { "" } else { " " };
    format!("{options}{space}{} {}", line.algorithm, line.fingerprint())
}
