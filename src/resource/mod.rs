//! Owns the seam: what a kind must say about itself, and the values it speaks in.
//!
//! A kind reads and proposes; it never compares, never runs anything, and never knows the transport. What a host
//! looks like is data ([`Seen`]), and so is a change ([`Step`]). Must not know any single kind, plans or connections.

mod ad_hoc;
mod answer;
mod authorized;
mod context;
mod dpkg;
mod field;
mod foreseen;
mod glob;
mod gone;
mod http;
mod kind;
mod lifeline;
mod look;
mod look_script;
mod managed_file;
mod part;
mod probe;
mod provision;
mod sandbox;
mod seen;
mod step;
mod systemd;
mod texts;
mod unit_files;
mod verified;

pub use ad_hoc::{AD_HOC_LIMIT, AdHocOutput, ad_hoc_output, ask_ad_hoc};
pub use answer::{Answer, FileContent, Held, ProbeError, SectionOutput, Stat};
pub use authorized::AuthorizedLine;
pub use context::{Context, Fault, Select, absolute_path, mode_text, plain_name, private_mode};
pub use dpkg::{PackageState, ask_package, package_state};
pub use field::{FieldValue, Fields, ReadText};
pub use foreseen::{
    Foreseen, ForeseenAccount, ForeseenFile, ForeseenRule, ForeseenSwitch, ForeseenText, ForeseenUfw, ForeseenUnit,
    Origin, is_before_keys, is_way_in,
};
pub use glob::glob;
pub use gone::Gone;
pub use http::{HttpAnswer, HttpRequest, Url, is_whole};
pub use kind::{Change, Desired, Entry, ErasedChange, Folder, Kind, Load, Resource};
pub use lifeline::{Lifeline, RESTART_SSHD, is_lifeline_folder, is_lifeline_unit, lifeline};
pub use look::{Ask, Look, LookAnswer, PortState, Vantage};
pub use look_script::{look_script, read_looks};
pub use managed_file::ManagedFile;
pub use part::{Edit, PART_SHELL, Part, PartWay};
pub use probe::{ProbeScript, Question};
pub use provision::Provision;
pub use sandbox::{UserCommand, ask_user_commands, user_command};
pub use seen::Seen;
pub use step::{Expect, Reversal, Step, Touch, Undo};
pub use systemd::{
    UnitState, ask_clock, clock_us, is_looping, is_newer, show_units, size_bytes, span_us, timestamp_us, unit_state,
};
pub use texts::Texts;
pub use unit_files::{PROVE_UNIT, UNIT_FOLDER, UnitFiles, unit_uses};
pub use verified::{Sum, ask_sum, is_sha256, sum};
