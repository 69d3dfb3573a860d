//! Owns docs/campaign.md: what a case is, and what came of the last whole campaign.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The lines of a log, one a case.
pub struct Results {
    pub commit: String,
    pub when: String,
    pub planned: usize,
    pub lines: Vec<String>,
    /// Mutants, and what came of them.
    pub mutants: Vec<String>,
    pub minutes: u64,
}

const WORDS: &str = include_str!("page.md");

impl Results {
    fn field(line: &str, at: usize) -> &str {
        line.split('\t').nth(at).unwrap_or("")
    }

    pub fn good(&self) -> usize {
        self.lines.iter().filter(|line| line.starts_with("good\t")).count()
    }

    /// The page.
    pub fn page(&self) -> String {
        let mut text = WORDS.to_owned();
        let _ = write!(
            text,
            "\n## The last whole campaign\n\n**{} of {}** cases are good, at commit `{}`, {}, in {} minutes.\n",
            self.good(),
            self.planned,
            self.commit,
            self.when,
            self.minutes
        );
        if self.lines.len() < self.planned {
            let _ =
                writeln!(text, "\n{} cases were not played: the campaign was cut.", self.planned - self.lines.len());
        }
        // What was hit when: rows are faults, columns are moments.
        let mut table: BTreeMap<&str, BTreeMap<&str, (usize, usize)>> = BTreeMap::new();
        for line in &self.lines {
            let (fault, rest) = Self::field(line, 1).split_once('@').unwrap_or(("?", ""));
            let cell = table.entry(fault).or_default().entry(rest.rsplit('-').next().unwrap_or("?")).or_default();
            cell.0 += usize::from(line.starts_with("good\t"));
            cell.1 += 1;
        }
        text.push_str("\n| fault | before | inside | sync | ended |\n|---|---|---|---|---|\n");
        for (fault, cells) in &table {
            let cell =
                |moment: &str| cells.get(moment).map_or("-".to_owned(), |(good, all)| format!("{good} of {all}"));
            let all = ["before", "inside", "sync", "ended"].map(cell).join(" | ");
            let _ = writeln!(text, "| {fault} | {all} |");
        }
        let count = |word: &str| {
            let of = |line: &String| {
                line.split('\t').filter_map(|field| field.strip_prefix(word)?.trim().parse::<u64>().ok()).sum()
            };
            self.lines
                .iter()
                .filter(|line| {
                    let n: u64 = of(line);
                    n > 0
                })
                .count()
        };
        let _ = writeln!(
            text,
            "\nIn {} cases the fault left packages unfinished or a file of theirs empty, in {} a temporary file; the plain run after it \
             repaired both.",
            count("packages "),
            count("temporary ")
        );
        text.push_str("\nBroken builds must fail:\n\n");
        for mutant in &self.mutants {
            let _ = writeln!(text, "- {mutant}");
        }
        let bad: Vec<&String> = self.lines.iter().filter(|line| !line.starts_with("good\t")).collect();
        if !bad.is_empty() {
            text.push_str("\nNot good:\n\n");
            for line in bad {
                let why: String = line.split('\t').next_back().unwrap_or("").chars().take(300).collect();
                let _ = writeln!(text, "- `{}` ({}): {why}", Self::field(line, 1), Self::field(line, 4));
            }
        }
        text.push_str("\nThe steps, and how often each was hit:\n\n| step | title | good |\n|---|---|---|\n");
        let mut steps: BTreeMap<usize, (&str, usize, usize)> = BTreeMap::new();
        for line in &self.lines {
            let at = Self::field(line, 3).parse().unwrap_or(0);
            let step = steps.entry(at).or_insert_with(|| (Self::field(line, 4), 0, 0));
            step.1 += usize::from(line.starts_with("good\t"));
            step.2 += 1;
        }
        for (at, (title, good, all)) in &steps {
            let _ = writeln!(text, "| {at} | {title} | {good} of {all} |");
        }
        text
    }

    /// Writes it where people read it.
    pub fn publish(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/campaign.md");
        std::fs::write(path, self.page()).unwrap();
    }
}
