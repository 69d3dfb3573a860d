//! Owns how a value is written into another language: one quoting function per language, held by property tests.
//!
//! Must not know resources or hosts. Values from inventories and hosts are hostile: what cannot be quoted is refused.

mod dot;
mod line;
mod mermaid;
mod shell;
mod sql;
mod xml;

pub use dot::quote_dot;
pub use line::{Format, fits};
pub use mermaid::quote_mermaid;
pub use shell::{Sh, ShArg, quote_sh};
pub use sql::{quote_sql_name, quote_sql_text};
pub use xml::quote_xml;

/// Writes POSIX sh from a template whose `{}` are replaced by quoted values.
///
/// ```
/// use rempart::sh;
/// assert_eq!(sh!("rm -- {}", "it's").text(), r"rm -- 'it'\''s'");
/// ```
#[macro_export]
macro_rules! sh {
    ($template:literal $(, $argument:expr)* $(,)?) => {
        $crate::quote::Sh::template($template, &[$(&$argument as &dyn $crate::quote::ShArg),*])
    };
}
