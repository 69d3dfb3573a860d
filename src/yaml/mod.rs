//! Owns YAML: text into a tree in which every value knows its place, and that tree into typed values.
//!
//! Must not know what the values mean. The grammar is `serde-saphyr`'s event parser; the tree is ours because a
//! playbook's strings are rendered between parsing and typing, and because each value must keep its origin. JSON, which
//! is no YAML where numbers and escapes matter, becomes the same tree.

mod decode;
mod json;
mod load;
mod node;
mod outline;
mod parse;
mod scalar;
mod tagged;
mod timestamp;

pub use decode::{decode, secret_text_schema};
pub use json::parse_json;
pub use load::{MAX_BYTES, read, read_bytes};
pub use node::{Entry, Node, Value};
pub use outline::{Outline, OutlineFault, Part, Remark, Shape, Step, Style, outline};
pub use parse::parse;
pub use scalar::Dialect;
pub use tagged::{is_text_key, key};
