//! Owns the exit codes: one table, shown in `--help`.

/// How a run ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is as desired, or was made so.
    Done = 0,
    /// Something failed, or could not be judged.
    Failed = 1,
    /// Differences were found (`drift`, `plan --detailed-exitcode`), secrets in plaintext (`secrets scan`), or something was
    /// left: a checkpoint that waits for a person, or what a rollback cannot take back.
    Differs = 2,
    /// Some hosts could not be reached; the others are as the rest of the output says.
    Unreachable = 3,
    /// A host took a change back by itself, because nobody could confirm it.
    Healed = 4,
    /// Refused: not approved, stale, or against a rule.
    Refused = 5,
    /// The command line was wrong.
    Usage = 64,
    /// An input file was wrong.
    BadInput = 65,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl Exit {
    /// All codes with their meaning, in the order of the numbers.
    pub const TABLE: [(Exit, &'static str); 9] = [
        (Exit::Done, "everything is as desired"),
        (Exit::Failed, "something failed, or could not be judged"),
        (
            Exit::Differs,
            "differences found (drift; plan --detailed-exitcode; secrets scan), or left: a checkpoint, what rollback cannot take back",
        ),
        (Exit::Unreachable, "some hosts could not be reached"),
        (Exit::Healed, "a host took a risky change back by itself"),
        (Exit::Refused, "refused: not approved, stale, or against a rule"),
        (Exit::Usage, "the command line was wrong"),
        (Exit::BadInput, "an input file was wrong"),
        (Exit::Interrupted, "interrupted"),
    ];

    /// The codes but 0 by what a script must hear first: where several fit, the first of these is the one.
    pub const ORDER: [Exit; 8] = [
        Exit::Interrupted,
        Exit::Usage,
        Exit::BadInput,
        Exit::Healed,
        Exit::Failed,
        Exit::Refused,
        Exit::Unreachable,
        Exit::Differs,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    // A healed host outranks a failed step on another one, and a plan that locks out is refused whoever was not reached.
    fn rank(self) -> usize {
        Exit::ORDER.iter().position(|exit| *exit == self).unwrap_or(Exit::ORDER.len())
    }

    /// The code that two outcomes give together.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        if other.rank() < self.rank() { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_codes_the_one_that_must_be_heard_first_counts() {
        for (of, wanted) in [
            (&[Exit::Unreachable, Exit::Refused][..], Exit::Refused),
            (&[Exit::Differs, Exit::Unreachable], Exit::Unreachable),
            (&[Exit::Differs, Exit::Refused, Exit::Failed], Exit::Failed),
            (&[Exit::Failed, Exit::Healed, Exit::Unreachable], Exit::Healed),
            (&[Exit::Done, Exit::Differs], Exit::Differs),
            (&[Exit::Done], Exit::Done),
        ] {
            assert_eq!(of.iter().fold(Exit::Done, |exit, one| exit.and(*one)), wanted, "{of:?}");
            assert_eq!(of.iter().rev().fold(Exit::Done, |exit, one| exit.and(*one)), wanted, "{of:?}");
        }
        for (exit, _) in Exit::TABLE {
            assert!(exit == Exit::Done || Exit::ORDER.contains(&exit), "{exit:?}");
        }
    }
}
