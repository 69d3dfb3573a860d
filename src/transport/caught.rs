//! Owns catching a panic of the ssh2 crate that a host can cause, without a word on the screen.
//!
//! Must not hide a panic of our own: only the one call that is known to panic is made in here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; `None` = it panicked. What it borrows must stand a panic: ssh2's session does, since its lock is
/// let go on the way out.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    QUIET.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_the_next_call_works() {
        let name = vec![b'h', 0xff];
        assert_eq!(caught(|| std::str::from_utf8(&name).map(str::len).unwrap()), None);
        assert_eq!(caught(|| 7), Some(7));
    }
}
