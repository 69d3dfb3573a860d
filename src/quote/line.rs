//! Owns which values fit into the line-based formats that rempart writes: what would break the line is refused.

use serde::{Deserialize, Serialize};

/// A file format, as far as a value can break out of its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Free text: any value fits.
    Text,
    /// systemd unit files: a newline ends the setting, a trailing `\` eats the next one.
    Systemd,
    /// nftables rule files: a newline or `;` ends the statement; braces and quotes open blocks and strings.
    Nftables,
    /// Squid's configuration: a newline ends the directive, `#` begins a comment.
    Squid,
    /// sshd's configuration: a newline ends the setting, `#` begins a comment.
    Sshd,
    /// `KEY=value` files read by systemd or a shell.
    Env,
    /// INI and sysctl files: a newline ends the setting, `#` and `;` begin comments.
    Ini,
}

impl Format {
    /// The format that a file name speaks of.
    pub fn of_path(path: &str) -> Format {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "service" | "socket" | "timer" | "mount" | "path" | "target" | "slice" | "network" | "netdev" | "link" => {
                Format::Systemd
            }
            "nft" => Format::Nftables,
            "env" => Format::Env,
            "ini" => Format::Ini,
            _ if name == "nftables.conf" => Format::Nftables,
            _ if path.contains("/systemd/") && extension == "conf" => Format::Systemd,
            _ if path.contains("/squid/") => Format::Squid,
            _ if path.contains("/sshd_config") => Format::Sshd,
            _ if path.contains("/sysctl.d/") => Format::Ini,
            _ => Format::Text,
        }
    }

    fn forbidden(self) -> &'static [char] {
        match self {
            Format::Text => &[],
            Format::Systemd | Format::Env => &[],
            Format::Nftables => &[';', '{', '}', '"', '#', '\\', '$'],
            Format::Squid | Format::Sshd => &['#', '"', '\''],
            Format::Ini => &['#', ';'],
        }
    }

    /// The format's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Systemd => "a systemd unit",
            Format::Nftables => "nftables rules",
            Format::Squid => "Squid's configuration",
            Format::Sshd => "sshd's configuration",
            Format::Env => "an environment file",
            Format::Ini => "an ini file",
        }
    }
}

/// Whether a value can stand in a line of this format without breaking out of it.
///
/// # Errors
/// What in the value would break it, in words and without the value, which may be a secret.
pub fn fits(format: Format, value: &str) -> Result<(), String> {
    if format == Format::Text {
        return Ok(());
    }
    if let Some(control) = value.chars().find(|c| c.is_control() && *c != '\t') {
        let name = match control {
            '\n' => "a newline".to_owned(),
            '\r' => "a carriage return".to_owned(),
            other => format!("the control character U+{:04X}", other as u32),
        };
        return Err(format!("it holds {name}, which ends a line of {}", format.name()));
    }
    if let Some(bad) = value.chars().find(|c| format.forbidden().contains(c)) {
        return Err(format!("it holds `{bad}`, which has a meaning of its own in {}", format.name()));
    }
    if matches!(format, Format::Systemd | Format::Env) && value.ends_with('\\') {
        return Err(format!("it ends with `\\`, which joins the next line in {}", format.name()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_break_the_line_are_refused_per_format() {
        assert!(fits(Format::Systemd, "a\nExecStart=/bin/sh").is_err());
        assert!(fits(Format::Systemd, "a\\").is_err());
        assert!(fits(Format::Nftables, "22; drop").is_err());
        assert!(fits(Format::Squid, "x # y").is_err());
        assert!(fits(Format::Text, "a\nb").is_ok());
        assert!(fits(Format::Systemd, "/usr/bin/x --flag='a b'").is_ok());
    }

    #[test]
    fn the_format_follows_the_path() {
        assert_eq!(Format::of_path("/etc/systemd/system/x.service"), Format::Systemd);
        assert_eq!(Format::of_path("/etc/systemd/system/x.service.d/limits.conf"), Format::Systemd);
        assert_eq!(Format::of_path("/etc/squid/squid.conf"), Format::Squid);
        assert_eq!(Format::of_path("/etc/motd"), Format::Text);
    }
}
