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

    /// So many of them, in the order they had.
    pub fn some<T>(&mut self, mut all: Vec<T>, count: usize) -> Vec<T> {
        while all.len() > count {
            let at = self.below(all.len() as u64) as usize;
            all.remove(at);
        }
        all
    }
}

#[test]
fn the_same_seed_draws_the_same() {
    let drawn = |seed: u64| Draw::new(seed).some((0..300).collect::<Vec<u32>>(), 20);
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    assert_eq!(drawn(7).len(), 20);
}
