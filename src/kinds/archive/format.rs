//! What an archive is, by its name, and what unpacks it.

use schemars::JsonSchema;
use serde::Deserialize;

/// What an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Format {
    /// `.tar`
    #[serde(rename = "tar")]
    Tar,
    /// `.tar.gz`, `.tgz`
    #[serde(rename = "tar.gz")]
    Gz,
    /// `.tar.xz`, `.txz`
    #[serde(rename = "tar.xz")]
    Xz,
    /// `.tar.bz2`, `.tbz2`
    #[serde(rename = "tar.bz2")]
    Bz2,
    /// `.tar.zst`
    #[serde(rename = "tar.zst")]
    Zst,
    /// `.zip`
    #[serde(rename = "zip")]
    Zip,
}

impl Format {
    pub(super) fn of_name(name: &str) -> Option<Format> {
        const ENDS: [(&str, Format); 10] = [
            (".tar", Format::Tar),
            (".tar.gz", Format::Gz),
            (".tgz", Format::Gz),
            (".tar.xz", Format::Xz),
            (".txz", Format::Xz),
            (".tar.bz2", Format::Bz2),
            (".tbz2", Format::Bz2),
            (".tar.zst", Format::Zst),
            (".zip", Format::Zip),
            (".jar", Format::Zip),
        ];
        ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format)
    }

    // What unpacks it beside tar and gzip, which every Debian has, and the package that brings it.
    pub(super) fn tool(self) -> Option<(&'static str, &'static str)> {
        match self {
            Format::Tar | Format::Gz => None,
            Format::Xz => Some(("xz", "xz-utils")),
            Format::Bz2 => Some(("bzip2", "bzip2")),
            Format::Zst => Some(("zstd", "zstd")),
            Format::Zip => Some(("unzip", "unzip")),
        }
    }
}
