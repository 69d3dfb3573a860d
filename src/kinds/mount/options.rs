//! Owns the options of a mount: which of those that are wanted are in effect, and how all of them are said to mount(8).

// What mount(8), systemd and fsck read, and the kernel never shows.
const UNSEEN: [&str; 13] = [
    "defaults", "auto", "noauto", "nofail", "_netdev", "bind", "rbind", "async", "loop", "user", "users", "nouser",
    "owner",
];

// What takes something away, with its opposite.
const STRICT: [(&str, &str); 4] = [("ro", "rw"), ("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev")];

/// Why an option cannot be compared.
pub(super) fn refuse(option: &str) -> Result<(), String> {
    match option.split_once('=') {
        Some(("size" | "nr_blocks" | "nr_inodes", value)) if value.ends_with('%') => {
            Err(format!("`{option}` is a share of the memory, which cannot be compared; write a size with k, M or G"))
        }
        _ if option.contains('%') || option.contains(['[', ']', '~', '^']) => {
            Err(format!("`{option}` is no option that rempart knows how to write"))
        }
        _ => Ok(()),
    }
}

// One form of an option's meaning: sizes in bytes, modes without leading zeros.
fn normal(option: &str) -> String {
    let Some((name, value)) = option.split_once('=') else { return option.to_owned() };
    let value = match name {
        "size" | "nr_inodes" | "nr_blocks" => {
            let (number, power) = match value.char_indices().next_back() {
                Some((at, 'k' | 'K')) => (&value[..at], 1),
                Some((at, 'm' | 'M')) => (&value[..at], 2),
                Some((at, 'g' | 'G')) => (&value[..at], 3),
                _ => (value, 0),
            };
            let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1024_u64.pow(power)));
            bytes.map_or_else(|| value.to_owned(), |bytes| bytes.to_string())
        }
        "mode" => value.trim_start_matches('0').to_owned(),
        _ => value.to_owned(),
    };
    format!("{name}={value}")
}

/// What is in effect of what is wanted, in the wanted order, then what is in effect and must not be. The same as what is
/// wanted if all is well.
pub(super) fn effective(wanted: &[String], seen: &[&str]) -> Vec<String> {
    let has = |option: &str| seen.iter().any(|seen| normal(seen) == normal(option));
    let holds = |option: &String| match option.as_str() {
        unseen if UNSEEN.contains(&unseen) || unseen.starts_with("x-") || unseen.starts_with("comment=") => true,
        "strictatime" => !has("relatime") && !has("noatime"),
        "atime" => !has("noatime"),
        option => STRICT.iter().find(|(_, lax)| *lax == option).map_or_else(|| has(option), |(strict, _)| !has(strict)),
    };
    let mut all: Vec<String> = wanted.iter().filter(|option| holds(option)).cloned().collect();
    // Others may mount it with these, or it shows what is mounted elsewhere with options of its own.
    let inherits = ["bind", "rbind", "user", "users", "owner"].iter().any(|word| wanted.iter().any(|one| one == word));
    if !inherits {
        let more = STRICT.iter().filter(|(strict, _)| has(strict) && !wanted.iter().any(|one| one == strict));
        all.extend(more.map(|(strict, _)| (*strict).to_owned()));
    }
    all
}

/// The flags that a bind mount can have of its own, as said to `remount,bind`.
pub(super) fn flags(wanted: &[String]) -> String {
    let own = ["noatime", "nodiratime", "relatime"];
    let is_flag = |one: &str| own.contains(&one) || STRICT.iter().any(|(strict, lax)| one == *strict || one == *lax);
    wanted.iter().map(String::as_str).filter(|one| is_flag(one)).collect::<Vec<_>>().join(",")
}

/// All options that the kernel takes, with the opposite of each strict one that is not wanted.
pub(super) fn explicit(wanted: &[String]) -> String {
    let unseen = |one: &str| UNSEEN.contains(&one) || one.starts_with("x-") || one.starts_with("comment=");
    let mut all: Vec<&str> = wanted.iter().map(String::as_str).filter(|one| !unseen(one)).collect();
    for (strict, lax) in STRICT {
        if !all.contains(&strict) && !all.contains(&lax) {
            all.push(lax);
        }
    }
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Vec<String> {
        text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_told() {
        let seen = ["rw", "noexec", "nosuid", "relatime", "size=8192k", "mode=755"];
        let is = |text: &str| effective(&wanted(text), &seen).join(",");
        assert_eq!(is("size=8M,mode=0755,noexec,nosuid,nofail"), "size=8M,mode=0755,noexec,nosuid,nofail");
        assert_eq!(is("noexec,nosuid,nodev"), "noexec,nosuid");
        assert_eq!(is("nosuid"), "nosuid,noexec");
        assert_eq!(is("exec,nosuid"), "nosuid,noexec");
        assert_eq!(is("bind"), "bind");
        assert_eq!(is("size=9M,noexec,nosuid"), "noexec,nosuid");
        assert_eq!(explicit(&wanted("noexec,nofail,size=8M")), "noexec,size=8M,rw,suid,dev");
        assert_eq!(flags(&wanted("bind,ro,noexec,size=1")), "ro,noexec");
    }
}
