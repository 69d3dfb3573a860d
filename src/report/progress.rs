//! Owns how progress is drawn: live lines where somebody watches, one line an event where nobody does, and nothing
//! with `--quiet`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Screen;
use super::teller::{Heard, Teller};
use crate::engine::{Event, Observer};
use crate::model::HostName;

/// With more hosts than this, one line counts them all.
const EACH: usize = 20;
/// And so many of those at work have a line of their own.
const ACTIVE: usize = 12;

/// Shows what the engine does, until it is dropped.
pub struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    screen: Arc<Screen>,
    teller: Mutex<Teller>,
    live: Option<Live>,
    began: Instant,
}

struct Live {
    lines: MultiProgress,
    hosts: Mutex<BTreeMap<HostName, ProgressBar>>,
    all: Option<ProgressBar>,
    limit: usize,
}

/// Begins to show progress on these hosts, each with the number of its resources (0 = not known).
pub fn progress(screen: &Arc<Screen>, hosts: &[(HostName, usize)]) -> Progress {
    let target = (screen.is_watched() && !screen.is_quiet()).then(ProgressDrawTarget::stderr);
    Progress::on(screen, hosts, target)
}

impl Progress {
    fn on(screen: &Arc<Screen>, hosts: &[(HostName, usize)], target: Option<ProgressDrawTarget>) -> Self {
        let teller = Teller::new(hosts, screen.err_paint());
        let live = target.map(|target| Live::new(hosts, target));
        if let Some(live) = &live {
            screen.set_live(Some(live.lines.clone()));
            for (host, _) in hosts.iter().take(if hosts.len() > EACH { 0 } else { EACH }) {
                live.at_work(host, &teller);
            }
            live.count(&teller);
        }
        let shared = Shared { screen: screen.clone(), teller: Mutex::new(teller), live, began: Instant::now() };
        Self { shared: Arc::new(shared) }
    }

    /// Hosts of which it was told already that they cannot be reached.
    pub fn knows_lost<'a>(&self, hosts: impl Iterator<Item = &'a HostName>) {
        let mut teller = locked(&self.shared.teller);
        hosts.for_each(|host| teller.knows_lost(host));
    }

    /// What the engine tells its events to.
    pub fn observer(&self) -> Arc<Observer> {
        let shared = self.shared.clone();
        Arc::new(move |event: Event| shared.hear(&event))
    }

    /// How long each host took so far.
    pub fn times(&self) -> BTreeMap<HostName, Duration> {
        locked(&self.shared.teller).times()
    }

    /// How long it has been.
    pub fn took(&self) -> Duration {
        self.shared.began.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(live) = &self.shared.live {
            live.end();
            self.shared.screen.set_live(None);
        }
    }
}

impl Shared {
    fn hear(&self, event: &Event) {
        let mut teller = locked(&self.teller);
        let Heard { line, log, host } = teller.hear(event, self.began.elapsed());
        // The teller stays locked, so that lines come in the order of their events.
        if let Some(line) = line {
            self.screen.chat(&line);
        }
        match (&self.live, host) {
            (Some(live), Some((host, true))) => live.at_work(&host, &teller),
            (Some(live), Some((host, false))) => live.leave(&host),
            _ => {}
        }
        match &self.live {
            Some(live) => live.count(&teller),
            None => self.screen.chat(&log.unwrap_or_default()),
        }
    }
}

impl Live {
    fn new(hosts: &[(HostName, usize)], target: ProgressDrawTarget) -> Self {
        let lines = MultiProgress::with_draw_target(target);
        let many = hosts.len() > EACH;
        let all = many.then(|| {
            let line = lines.add(ProgressBar::new_spinner());
            line.set_style(style("{wide_msg}"));
            line
        });
        Self { lines, hosts: Mutex::default(), all, limit: if many { ACTIVE } else { EACH } }
    }

    fn at_work(&self, host: &HostName, teller: &Teller) {
        let mut hosts = locked(&self.hosts);
        let text = teller.now(host);
        if let Some(line) = hosts.get(host) {
            if line.message() != text {
                line.set_message(text);
                if teller.is_in_step(host) {
                    line.reset_elapsed();
                }
            }
        } else if hosts.len() < self.limit {
            let line =
                ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg} {elapsed}")).with_message(text);
            let line = self.lines.add(line);
            line.enable_steady_tick(Duration::from_millis(120));
            hosts.insert(host.clone(), line);
        }
    }

    fn leave(&self, host: &HostName) {
        if let Some(line) = locked(&self.hosts).remove(host) {
            line.finish_and_clear();
            self.lines.remove(&line);
        }
    }

    fn count(&self, teller: &Teller) {
        if let Some(all) = &self.all {
            all.set_message(teller.summary());
        }
    }

    fn end(&self) {
        for (_, line) in std::mem::take(&mut *locked(&self.hosts)) {
            line.finish_and_clear();
        }
        if let Some(all) = &self.all {
            all.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use indicatif::TermLike;

    use super::*;
    use crate::engine::Outcome;
    use crate::model::ResourceId;
    use crate::report::Paint;
    use crate::report::escape::is_unseen;
    use crate::report::screen::tests::screen;

    fn host(name: &str) -> HostName {
        HostName::new(name)
    }

    fn events() -> Vec<(u64, Event)> {
        let squid = ResourceId::new("template", "/etc/squid\x1b[2J");
        let unit = ResourceId::new("systemd_unit", "squid");
        let began =
            |id: &ResourceId, title: &str| Event::StepBegan { host: host("web1"), id: id.clone(), title: title.into() };
        let settled = |id: &ResourceId, outcome| Event::Settled { host: host("web1"), id: id.clone(), outcome };
        vec![
            (0, Event::Connecting(host("web1"))),
            (100, Event::Unreachable(host("old1"), "no route\nto host".into())),
            (200, Event::Waiting(host("web1"), host("db1"))),
            (250, Event::Pausing(host("web1"), Duration::from_secs(12))),
            (300, began(&squid, "write it")),
            (1_500, began(&unit, "restart squid")),
            (2_000, settled(&squid, Outcome::Changed { steps: vec!["write it".into()] })),
            (2_100, settled(&ResourceId::new("user", "x"), Outcome::Same)),
            (62_100, settled(&unit, Outcome::Failed { why: "status 1\r".into(), output: vec!["x".into()] })),
            (62_200, settled(&unit, Outcome::Skipped { because: "the user stopped the run".into() })),
            (62_300, Event::GuardArmed(host("web1"), 30)),
            (62_400, Event::GuardConfirmed(host("web1"))),
            (62_500, Event::Reconnecting(host("web1"), "reset".into())),
            (62_600, Event::HostDone(host("web1"))),
        ]
    }

    #[test]
    fn a_log_has_a_line_for_what_matters() {
        let mut teller = Teller::new(&[(host("web1"), 3), (host("old1"), 0)], Paint::PLAIN);
        let mut text = String::new();
        for (at, event) in events() {
            let heard = teller.hear(&event, Duration::from_millis(at));
            text.push_str(&heard.log.or(heard.line).unwrap_or_default());
        }
        assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'));
        insta::assert_snapshot!(text, @r"
        ✗ old1 not reached: no route\nto host
        · web1 waits for db1
        · web1 waits 12 s, as hosts limit how often one may connect
        · web1 template:/etc/squid\u{1b}[2J: write it
        · web1 systemd_unit:squid: restart squid
        ✓ web1 template:/etc/squid\u{1b}[2J changed: write it (1.2 s)
        ✗ web1 systemd_unit:squid failed: status 1\r (60 s)
        ↷ web1 systemd_unit:squid skipped: the user stopped the run
        · web1 the guard is armed: a fresh connection must confirm within 30 s
        ✓ web1 the risky change is confirmed over a fresh connection
        ! web1 the link broke (reset); the host goes on by itself
        ");
        assert_eq!(teller.times()[&host("web1")], Duration::from_millis(62_600));
        assert_eq!(teller.summary(), "2/2 hosts done, 0 at work, 2 with trouble");
    }

    #[test]
    fn what_is_skipped_on_a_lost_host_needs_no_line_each() {
        let id = || ResourceId::new("user", "x");
        let skipped = || Outcome::Skipped { because: "old1 could not be reached: no route".into() };
        let settled = |outcome| Event::Settled { host: host("old1"), id: id(), outcome };
        let unknown = Outcome::Unknown { why: "it was lost".into() };
        let said = |teller: &mut Teller| {
            [Event::Unreachable(host("old1"), "no route".into()), settled(skipped()), settled(unknown.clone())]
                .map(|event| teller.hear(&event, Duration::ZERO).line.unwrap_or_default())
                .concat()
        };
        let mut teller = Teller::new(&[(host("old1"), 2)], Paint::PLAIN);
        assert_eq!(said(&mut teller), "✗ old1 not reached: no route\n? old1 user:x cannot be judged: it was lost\n");
        let mut knows = Teller::new(&[(host("old1"), 2)], Paint::PLAIN);
        knows.knows_lost(&host("old1"));
        assert_eq!(
            knows.hear(&settled(skipped()), Duration::ZERO),
            Heard { host: Some((host("old1"), false)), ..Heard::default() }
        );
        assert_eq!(knows.summary(), "1/1 hosts done, 0 at work, 1 with trouble");
    }

    #[test]
    fn a_host_is_told_by_its_count_and_step() {
        let mut teller = Teller::new(&[(host("web1"), 3)], Paint::PLAIN);
        assert_eq!(teller.now(&host("web1")), "web1  0/3  asking");
        for (at, event) in events().into_iter().take(8) {
            teller.hear(&event, Duration::from_millis(at));
        }
        assert_eq!(teller.now(&host("web1")), "web1  2/3  restart squid");
    }

    #[test]
    fn without_a_terminal_lines_go_to_stderr_and_quiet_says_nothing() {
        for quiet in [false, true] {
            let (screen, out, err) = screen(false, "", quiet);
            let screen = Arc::new(screen);
            let progress = progress(&screen, &[(host("web1"), 3)]);
            for (_, event) in events() {
                (progress.observer())(event);
            }
            assert_eq!((out.text().is_empty(), err.text().is_empty()), (true, quiet));
            assert_eq!(progress.times().len(), 2);
        }
    }

    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<String>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            60
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn many_hosts_share_one_line() {
        let (screen, _, err) = screen(true, "", false);
        let screen = Arc::new(screen);
        let terminal = Terminal::default();
        let hosts: Vec<_> = (0..60).map(|number| (host(&format!("host{number:02}")), 1)).collect();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let progress = Progress::on(&screen, &hosts, Some(target));
        for (name, _) in &hosts {
            (progress.observer())(Event::Connecting(name.clone()));
        }
        assert_eq!(locked(&progress.shared.live.as_ref().unwrap().hosts).len(), ACTIVE);
        (progress.observer())(Event::Unreachable(host("host00"), "gone".into()));
        for (name, _) in &hosts {
            (progress.observer())(Event::HostDone(name.clone()));
        }
        assert!(locked(&progress.shared.live.as_ref().unwrap().hosts).is_empty());
        drop(progress);
        let drawn = terminal.0.lock().unwrap().clone();
        assert!(drawn.contains("/60 hosts done"), "{drawn}");
        // Which of the frames are drawn depends on the clock, and so does whose line is seen.
        let seen = |number: usize| drawn.contains(&format!("host{number:02}\u{1b}[0m  0/1  connecting"));
        assert!((0..ACTIVE).any(seen), "{drawn}");
        assert!(!drawn.contains("host50"), "{drawn}");
        assert_eq!(err.text(), "\u{1b}[31m✗\u{1b}[0m host00 not reached: gone\n");
    }
}
