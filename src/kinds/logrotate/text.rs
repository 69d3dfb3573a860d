//! Owns the text that logrotate reads.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Logrotate;
use crate::resource::size_bytes;

/// How often logs are rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Every {
    /// Each hour, as far as logrotate is run as often; Debian's timer does so each day.
    Hour,
    /// Each day.
    Day,
    /// Each week.
    #[default]
    Week,
    /// Each month.
    Month,
    /// Each year.
    Year,
}

impl Logrotate {
    pub(super) fn pattern(&self) -> String {
        self.logs.iter().map(|path| format!("\"{path}\"")).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn text(&self) -> String {
        let bytes = |size: &Option<String>| size_bytes(size.as_ref()?).map(|bytes| bytes.to_string());
        let mut lines = vec![
            match self.every {
                Every::Hour => "hourly",
                Every::Day => "daily",
                Every::Week => "weekly",
                Every::Month => "monthly",
                Every::Year => "yearly",
            }
            .to_owned(),
            format!("rotate {}", self.rotate),
        ];
        let valued = [
            ("maxage", self.max_age.map(|days| days.to_string())),
            ("maxsize", bytes(&self.max_size)),
            ("minsize", bytes(&self.min_size)),
            ("su", self.su.clone()),
        ];
        lines.extend(valued.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))));
        // Each is said either way, so that nothing in /etc/logrotate.conf decides.
        let flags = [
            (self.compress, "compress", "nocompress"),
            (self.delay_compress, "delaycompress", "nodelaycompress"),
            (self.missing_ok, "missingok", "nomissingok"),
            (self.if_empty, "ifempty", "notifempty"),
            (self.date_ext, "dateext", "nodateext"),
            (self.copy_truncate, "copytruncate", "nocopytruncate"),
        ];
        lines.extend(flags.map(|(is, on, off)| (if is { on } else { off }).to_owned()));
        lines.push(self.create.as_ref().map_or("nocreate".to_owned(), |create| format!("create {create}")));
        let mut text = format!("# Managed by rempart.\n{} {{\n", self.pattern());
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
        if let Some(script) = &self.post_rotate {
            text.push_str(&format!("  sharedscripts\n  postrotate\n{}\n  endscript\n", script.trim_end()));
        }
        text + "}\n"
    }
}
