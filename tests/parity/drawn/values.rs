//! What inventories are drawn from: names and values as each shape writes them, and the dice.

/// SplitMix64: small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    // Once in so many times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

pub const GROUPS: [&str; 10] = ["web", "db", "prod", "eu-west", "dc.1", "größe", "Z", "a_b", "edge", "lb"];
pub const HOSTS: [&str; 18] = [
    "web1",
    "web2",
    "db1",
    "db1.example.com",
    "10.0.0.1",
    "2001:db8::1",
    "bücher",
    "w[1:3]",
    "w[01:03]",
    "n[a:c]",
    "x[1:7:3]",
    "r[1:2]c[a:b]",
    "p1:2222",
    "q[1:2]:22",
    "[2001:db8::2]:2022",
    "lone",
    "10.0.0.[1:2]",
    "h_1",
];
pub const NAMES: [&str; 12] =
    ["a", "b", "c", "port", "ansible_host", "ansible_user", "Upper", "x_1", "nested", "größe", "list", "ansible_port"];

/// Plain scalars and flow values as YAML writes them.
pub const YAML: [&str; 60] = [
    "1",
    "-7",
    "0644",
    "08",
    "0o17",
    "0x1F",
    "0b101",
    "1_000",
    "1:30",
    "190:20:30",
    "01:30",
    "1e5",
    "1.5e+3",
    "1.5e3",
    ".5",
    "-.5",
    "1.",
    "3.140",
    ".inf",
    "-.INF",
    "~",
    "null",
    "",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "true",
    "False",
    "2024-01-02",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.1 -5",
    "2001-12-15 2:59:43",
    "\"a\\tb \\u263a\"",
    "'it''s'",
    "plain text",
    "a: b",
    "größe ☃ 𝄞",
    "\"\"",
    "' lead'",
    "10.0.0.1",
    "1.2.3",
    "2001:db8::1",
    "{{ foo }}",
    "[1, yes, ~, a]",
    "{x: 1, y: {z: [0644]}}",
    "{1: a, 2: b}",
    "{yes: 1}",
    "[]",
    "{}",
    "!!str 5",
    "!!int \"5\"",
    "!!float 3",
    "!unsafe \"{{ x }}\"",
    "# no value",
    "http://x/?a=b&c#d",
    "a#b",
    "a #b",
    "- 5",
];

/// Values as a host's line in INI writes them.
pub const LINE: [&str; 34] = [
    "1",
    "-7",
    "0644",
    "0x1F",
    "1_000",
    "1e3",
    "1.50",
    ".5",
    "True",
    "true",
    "None",
    "yes",
    "\"x y\"",
    "'\"x\"'",
    "\"'12'\"",
    "a\\ b",
    "\"\"",
    "",
    "a#b",
    "\"'a#b'\"",
    "\"[1, 'a', None, 2.5]\"",
    "\"{'a': {'b': (1, 2)}, 3: True}\"",
    "1,2",
    "10.0.0.1",
    "'{{ foo }}'",
    "größe",
    "\"'\\\\u263a'\"",
    "x=y",
    "\"a;b\"",
    "\"(1,)\"",
    "...",
    "5m",
    "\"set()\"",
    "r'x'",
];

/// The same in a `:vars` section.
pub const VARS: [&str; 32] = [
    "1",
    "8080 # c",
    "foo # c",
    "\"x y\"",
    "'a' \"b\"",
    "",
    "a = b",
    "True",
    "true",
    "None",
    "[1, 'a', (2, 3)]",
    "{'a': [1, {'b': None}]}",
    "0644",
    "-5",
    "0x1F",
    "1.50",
    "1e3",
    "r'\\n'",
    "\"\\u263a\\x41\"",
    "\\x",
    "[1,",
    "{{ foo }}",
    "{{ foo | default('x') }}",
    "größe ☃",
    "#x",
    "; y",
    "5 minutes",
    "http://x/?a=b#c",
    "1,",
    "'it''s'",
    "  spaced  ",
    "2024-01-02",
];

pub const JSON: [&str; 18] = [
    "1",
    "-2.5",
    "1e5",
    "1E+2",
    "true",
    "null",
    "\"\"",
    "\"0644\"",
    "\"yes\"",
    "\"a\\tb \\u263a \\ud834\\udd1e\\/\"",
    "[1, [2, {}]]",
    "{\"x\": {\"y\": null}}",
    "\"größe\"",
    "\"2024-01-02\"",
    "[]",
    "{}",
    "\"{{ foo }}\"",
    "0.10",
];
