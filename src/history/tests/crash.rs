use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::history::{EndEvent, Event, HistoryError, Journal, RunTotals, read};

fn event(run: &str) -> Event {
    Event::End(EndEvent { run: run.into(), exit: 0, totals: RunTotals::default() })
}

fn journal(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("journal")).unwrap()
}

fn is_whole(folder: &Path) -> bool {
    let history = read(folder).unwrap();
    history.checked.is_whole() && history.checked.torn.is_none() && history.unreadable.is_empty()
}

#[test]
fn what_is_appended_is_there_and_for_the_owner_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state/rempart");
    for run in ["a", "b"] {
        Journal::open(&folder).unwrap().append(&event(run)).unwrap();
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("journal")), 0o600);
    assert_eq!(mode(&folder.join("journal.head")), 0o600);
    let history = read(&folder).unwrap();
    assert!(is_whole(&folder));
    assert_eq!(history.runs.iter().map(|run| run.number.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(read(&place.path().join("nothing")).unwrap().runs.is_empty());
    assert!(!place.path().join("nothing").exists(), "reading makes nothing");
}

#[test]
fn a_crash_at_any_byte_is_mended_and_noted() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    let journal_then = Journal::open(folder).unwrap();
    // The journal and its head after each append: what a crash leaves is more of the journal with an older head.
    let mut states: Vec<(Vec<u8>, Option<Vec<u8>>)> = vec![(Vec::new(), None)];
    for run in ["a", "b", "c"] {
        journal_then.append(&event(run)).unwrap();
        states.push((journal(folder), fs::read(folder.join("journal.head")).ok()));
    }
    drop(journal_then);
    for pair in states.windows(2) {
        let ((before, head), (after, _)) = (&pair[0], &pair[1]);
        for length in before.len()..=after.len() {
            fs::write(folder.join("journal"), &after[..length]).unwrap();
            match head {
                Some(head) => fs::write(folder.join("journal.head"), head).unwrap(),
                None => fs::remove_file(folder.join("journal.head")).unwrap_or(()),
            }
            // Half of a head that was being written changes nothing.
            fs::write(folder.join("journal.head.new"), "1 ").unwrap();
            let seen = read(folder).unwrap().checked;
            assert!(seen.is_whole(), "{length}: {seen:?}");
            let torn = length > before.len() && length < after.len();
            assert_eq!(seen.torn.is_some(), torn, "{length}");
            Journal::open(folder).unwrap().append(&event("d")).unwrap();
            assert!(is_whole(folder), "{length}");
            let text = String::from_utf8(journal(folder)).unwrap();
            assert_eq!(text.contains("\"torn\""), torn, "{length}");
            if torn {
                let cut = &after[before.len()..length];
                let note = format!("\"bytes\":{},\"sha256\":\"{}\"", cut.len(), crate::history::sha256(cut));
                assert!(text.contains(&note), "{text}");
            }
            assert!(text.starts_with(std::str::from_utf8(before).unwrap()), "what was acknowledged stays");
        }
    }
}

#[test]
fn an_append_that_fails_is_an_error_and_the_next_one_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let journal = Journal::open(&folder).unwrap();
    journal.append(&event("a")).unwrap();
    // Where the new head is written, something stands in the way.
    let obstacle = folder.join("journal.head.new");
    fs::create_dir(&obstacle).unwrap();
    let error = journal.append(&event("b")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && !error.contains('\n'), "{error}");
    assert!(is_whole(&folder), "a line whose head is missing is no break");
    assert!(journal.append(&event("c")).is_err(), "one that is behind is caught up with first");
    assert!(Journal::open(&folder).is_err());
    fs::remove_dir(&obstacle).unwrap();
    journal.append(&event("d")).unwrap();
    let runs: Vec<String> = read(&folder).unwrap().runs.into_iter().map(|run| run.number).collect();
    assert_eq!(runs, ["a", "b", "d"]);
    assert!(is_whole(&folder));
}

#[test]
fn blocks_that_the_disk_never_got_are_cut_off_as_well() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    Journal::open(folder).unwrap().append(&event("a")).unwrap();
    let mut bytes = journal(folder);
    bytes.extend([&[0; 700][..], b"rest of a line\n"].concat());
    fs::write(folder.join("journal"), bytes).unwrap();
    Journal::open(folder).unwrap().append(&event("b")).unwrap();
    assert!(is_whole(folder));
}

#[test]
fn an_end_that_was_tampered_with_is_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    let open = Journal::open(folder).unwrap();
    for run in ["a", "b", "c"] {
        open.append(&event(run)).unwrap();
    }
    let (whole, head) = (journal(folder), fs::read(folder.join("journal.head")).unwrap());
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let changed = String::from_utf8(whole.clone()).unwrap().replace("\"c\"", "\"x\"").into_bytes();
    let forged = crate::history::seal(crate::history::FIRST, "4\t1\t{}");
    let known = Some(head.clone());
    let tampered = vec![
        ("cut off", lines[..2].concat(), known.clone()),
        ("emptied", Vec::new(), known.clone()),
        ("no head", whole.clone(), None),
        ("a bad head", whole.clone(), Some(b"3 x\n".to_vec())),
        ("more than one line behind", whole.clone(), Some([b"1 ", &lines[0][..64], b"\n"].concat())),
        ("a line that does not follow", [&whole[..], forged.as_bytes(), b"\n"].concat(), known),
    ];
    for (name, bytes, head) in tampered {
        fs::write(folder.join("journal"), &bytes).unwrap();
        match head {
            Some(head) => fs::write(folder.join("journal.head"), head).unwrap(),
            None => fs::remove_file(folder.join("journal.head")).unwrap(),
        }
        assert!(!read(folder).unwrap().checked.is_whole(), "{name}");
        let error = Journal::open(folder).unwrap_err();
        assert!(matches!(error, HistoryError::Broken { .. }), "{name}: {error}");
        assert!(error.to_string().contains("history verify") && !error.to_string().contains('\n'));
        if bytes.len() != whole.len() {
            assert!(open.append(&event("d")).is_err(), "{name}");
        }
        assert_eq!(journal(folder), bytes, "{name}: the evidence stays");
    }
    // A changed last line keeps its stated hash; the next reader finds it.
    fs::write(folder.join("journal"), changed).unwrap();
    fs::write(folder.join("journal.head"), head).unwrap();
    assert!(!read(folder).unwrap().checked.is_whole());
}

#[test]
fn many_threads_and_several_openings_share_one_chain() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let journals: Vec<Journal> = (0..3).map(|_| Journal::open(&folder).unwrap()).collect();
    std::thread::scope(|scope| {
        for (number, journal) in journals.iter().enumerate() {
            for thread in 0..2 {
                scope.spawn(move || {
                    for at in 0..10 {
                        journal.append(&event(&format!("{number}-{thread}-{at}"))).unwrap();
                    }
                });
            }
        }
    });
    let history = read(&folder).unwrap();
    assert!(is_whole(&folder));
    assert_eq!((history.checked.lines, history.runs.len()), (60, 60));
}

#[test]
fn a_journal_that_was_moved_away_is_not_written_on() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let open = Journal::open(&folder).unwrap();
    open.append(&event("a")).unwrap();
    for name in ["journal", "journal.head"] {
        fs::rename(folder.join(name), folder.join(format!("{name}.kept"))).unwrap();
    }
    open.append(&event("b")).unwrap();
    let runs: Vec<String> = read(&folder).unwrap().runs.into_iter().map(|run| run.number).collect();
    assert_eq!(runs, ["b"]);
    assert!(is_whole(&folder));
}

#[test]
fn where_there_can_be_no_journal_there_is_an_error_that_says_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let shared = place.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Journal::open(&shared).unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = Journal::open(&folder).unwrap_err().to_string();
        assert!(error.contains("REMPART_STATE") && !error.contains('\n'), "{error}");
    }
}
