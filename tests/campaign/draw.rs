//! Owns chance: the same seed draws the same cases.

/// Numbers that look random (SplitMix64).
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `REMPART_CAMPAIGN_SEED`, or the clock.
    pub fn seed() -> u64 {
        let said = std::env::var("REMPART_CAMPAIGN_SEED").ok().and_then(|text| text.parse().ok());
        said.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            now.as_nanos() as u64 % 1_000_000
        })
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// So many of them. Each has a lot of its own, by seed and name: whether some long step was quick today, so that a case of it
/// is missing, changes nothing for the others.
pub fn some<T>(seed: u64, mut all: Vec<T>, count: usize, name: impl Fn(&T) -> String) -> Vec<T> {
    let lot = |one: &T| {
        let start = seed ^ 0xcbf2_9ce4_8422_2325;
        let mixed =
            name(one).bytes().fold(start, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Draw::new(mixed).below(u64::MAX)
    };
    all.sort_by_cached_key(lot);
    all.truncate(count);
    all
}

#[test]
fn the_same_seed_draws_the_same_also_where_some_are_missing() {
    let drawn = |seed: u64, all: Vec<u32>| some(seed, all, 20, u32::to_string);
    let all = || (0..300).collect::<Vec<u32>>();
    assert_eq!(drawn(7, all()), drawn(7, all()));
    assert_ne!(drawn(7, all()), drawn(8, all()));
    assert_eq!(drawn(7, all()).len(), 20);
    let gone = drawn(7, all())[3];
    let others = drawn(7, all().into_iter().filter(|one| *one != gone).collect());
    assert!(drawn(7, all()).iter().filter(|one| **one != gone).all(|one| others.contains(one)));
}
