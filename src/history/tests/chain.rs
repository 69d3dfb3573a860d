use proptest::prelude::*;

use crate::history::head::{compare_head, head_text};
use crate::history::{Anchor, Break, Checked, Fault, Head, seal, verify};

/// A chain whose lines say these things, each number once, and its lines' hashes.
pub fn chain(texts: &[String]) -> Vec<String> {
    let mut before = crate::history::FIRST.to_owned();
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(texts) {
        let line = seal(&before, &format!("{number}\t{text}"));
        before = line[..64].to_owned();
        lines.push(line);
    }
    lines
}

fn text(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().into_bytes()
}

fn check(bytes: &[u8], lines: &[String]) -> Checked {
    let end = Head { seq: lines.len() as u64, hash: lines.last().unwrap()[..64].to_owned() };
    let mut checked = verify(bytes, [end.seq]);
    compare_head(&mut checked, Some(head_text(&end).as_bytes()));
    checked
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[0-9]{1,3}\t[a-z0-9 {}\"|é-]{0,20}", 2..9)
}

fn sample() -> Vec<String> {
    chain(&["1\topen", "2\tintent", "3\tdone", "4\tend", "5\tclose"].map(str::to_owned))
}

fn faults(checked: &Checked) -> Vec<(u64, String)> {
    checked.breaks.iter().map(|Break { line, fault }| (*line, fault.to_string())).collect()
}

proptest! {
    #[test]
    fn a_chain_that_was_not_touched_is_whole(texts in texts()) {
        let lines = chain(&texts);
        let checked = check(&text(&lines), &lines);
        prop_assert!(checked.is_whole() && checked.torn.is_none(), "{checked:?}");
        prop_assert_eq!(checked.lines, lines.len() as u64);
    }

    #[test]
    fn any_changed_byte_is_found(texts in texts(), at: prop::sample::Index, to: u8) {
        let lines = chain(&texts);
        let mut bytes = text(&lines);
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let checked = check(&bytes, &lines);
        prop_assert!(!checked.is_whole(), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_removed_line_is_found(texts in texts(), at: prop::sample::Index) {
        let all = chain(&texts);
        let mut lines = all.clone();
        let at = at.index(lines.len());
        lines.remove(at);
        let checked = check(&text(&lines), &all);
        prop_assert_eq!(checked.breaks.len(), 1, "{:?}", checked);
        prop_assert_eq!(checked.breaks[0].line, at as u64 + 1);
    }

    #[test]
    fn any_two_lines_that_changed_places_are_found(texts in texts(), a: prop::sample::Index, b: prop::sample::Index) {
        let all = chain(&texts);
        let (a, b) = (a.index(all.len()), b.index(all.len()));
        prop_assume!(a != b);
        let mut lines = all.clone();
        lines.swap(a, b);
        prop_assert!(!check(&text(&lines), &all).is_whole());
    }

    #[test]
    fn any_doubled_line_is_found(texts in texts(), a: prop::sample::Index, b: prop::sample::Index) {
        let all = chain(&texts);
        let mut lines = all.clone();
        lines.insert(b.index(all.len() + 1), all[a.index(all.len())].clone());
        let checked = check(&text(&lines), &all);
        prop_assert!(!checked.is_whole());
        prop_assert!(checked.breaks.len() <= 2, "{:?}", checked);
    }

    #[test]
    fn one_changed_line_is_one_finding(texts in texts(), line: prop::sample::Index, at: prop::sample::Index, to in "[a-z0-9]") {
        let all = chain(&texts);
        let mut lines = all.clone();
        let line = line.index(lines.len());
        let mut places = lines[line].char_indices().map(|(at, c)| at..at + c.len_utf8()).collect::<Vec<_>>();
        let place = places.remove(at.index(places.len()));
        prop_assume!(lines[line][place.clone()] != to);
        lines[line].replace_range(place, &to);
        let checked = check(&text(&lines), &all);
        prop_assert_eq!(checked.breaks.len(), 1, "{:?}", checked);
        prop_assert_eq!(checked.breaks[0].line, line as u64 + 1);
        prop_assert_eq!(checked.lines, all.len() as u64);
    }

    #[test]
    fn whatever_the_bytes_are_they_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let checked = verify(&bytes, []);
        prop_assert!(bytes.is_empty() || !checked.is_whole() || checked.torn.is_some());
    }
}

#[test]
fn findings_say_what_is_wrong() {
    let all = sample();
    let told = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = all.clone();
        change(&mut lines);
        let told = faults(&check(&text(&lines), &all));
        told.iter().map(|(line, what)| format!("line {line}: {what}")).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!([
        told(&|lines| lines[2] = lines[2].replace("done", "fail")),
        told(&|lines| { lines.remove(0); }),
        told(&|lines| { lines.drain(1..4); }),
        told(&|lines| lines.truncate(3)),
        told(&|lines| lines.swap(1, 3)),
        told(&|lines| lines.insert(3, lines[2].clone())),
        told(&|lines| lines[1] = "x".into()),
        told(&|lines| lines[4] = seal(&lines[3][..64], "5\t5\tnever")),
        told(&|lines| lines.push(seal(&lines[4][..64], "6\t6\tmore"))),
        told(&|lines| lines.clear()),
    ]
    .join("\n--\n"), @"
    line 3: it was changed or moved: its hash does not follow from the line before
    --
    line 1: a line was removed before it: number 1 should stand here, and it is 2
    --
    line 2: 3 lines were removed before it: number 2 should stand here, and it is 5
    --
    line 4: the end was cut off: journal.head knows line 5, and the last one here is 3
    --
    line 2: 2 lines were removed before it: number 2 should stand here, and it is 4
    line 3: it was changed or moved: its hash does not follow from the line before
    line 4: it was moved or doubled: number 4 should stand here, and it is 2
    line 5: it was changed or moved: its hash does not follow from the line before
    --
    line 4: it was moved or doubled: number 4 should stand here, and it is 3
    --
    line 2: it was changed: it cannot be read as a line of a journal
    --
    line 5: it was rewritten: journal.head knows another line here
    --

    --
    line 1: the end was cut off: journal.head knows line 5, and the last one here is 0
    ");
}

#[test]
fn a_crash_is_no_tampering_unless_something_is_missing() {
    let all = sample();
    let bytes = text(&all);
    let torn = verify(&bytes[..bytes.len() - 3], []);
    assert!(torn.is_whole());
    let left = torn.torn.unwrap();
    assert_eq!((left.line, left.bytes), (5, all[4].len() as u64 - 2));
    // With a head that knows the line, it was whole once.
    assert!(!check(&bytes[..bytes.len() - 3], &all).is_whole());
}

#[test]
fn a_head_may_be_one_line_behind_and_no_more() {
    let lines = sample();
    let verdict = |seq: usize, hash: &str| {
        let head = format!("{seq} {hash}\n");
        let mut checked = verify(&text(&lines), [seq as u64]);
        compare_head(&mut checked, Some(head.as_bytes()));
        checked.is_whole()
    };
    let hash = |seq: usize| lines[seq - 1][..64].to_owned();
    assert!(verdict(5, &hash(5)) && verdict(4, &hash(4)));
    assert!(!verdict(3, &hash(3)) && !verdict(4, &hash(5)) && !verdict(6, &hash(5)) && !verdict(5, "x"));
    for (number, whole) in [(0, true), (1, true), (2, false)] {
        let mut checked = verify(&text(&lines[..number]), []);
        compare_head(&mut checked, None);
        assert_eq!(checked.is_whole(), whole, "{number} lines without a head");
    }
}

#[test]
fn what_the_other_side_remembers_is_held_against_a_chain_that_is_whole_in_itself() {
    let lines = sample();
    let anchor = |seq: usize| Anchor { seq: seq as u64, hash: lines[seq - 1][..64].into(), run: "r1".into() };
    let anchors = [anchor(2), anchor(3), anchor(5)];
    let told = |lines: &[String]| {
        let mut checked = verify(&text(lines), anchors.iter().map(|anchor| anchor.seq));
        checked.compare(&anchors, |anchor| format!("run {}", anchor.run));
        faults(&checked)
    };
    assert_eq!(told(&lines), []);
    let forged = chain(&["1\topen", "2\tintent", "3\tfail", "4\tend", "5\tclose"].map(str::to_owned));
    assert_eq!(told(&forged), [(3, "it was rewritten: run r1 knows another line here, and 1 others after it".into())]);
    assert_eq!(told(&lines[..4]), [(5, "the end was cut off: run r1 knows line 5, and the last one here is 4".into())]);
    // One changed line is one finding, also where it is remembered.
    let mut changed = lines.clone();
    changed[2] = changed[2].replace("done", "fail");
    assert_eq!(told(&changed).len(), 1);
    changed[2] = format!("{}{}", &lines[0][..64], &lines[2][64..]);
    assert_eq!(told(&changed).len(), 1);
}

#[test]
fn a_file_of_breaks_alone_is_counted_and_not_listed() {
    let checked = verify("x\n".repeat(5000).as_bytes(), []);
    assert_eq!((checked.breaks.len(), checked.unlisted), (1000, 4000));
    assert!(matches!(checked.breaks[0].fault, Fault::Garbled));
}
