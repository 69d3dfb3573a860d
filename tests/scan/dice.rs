//! Numbers and texts from a seed.

pub struct Dice(u64);

/// That of the environment, or one that nobody has chosen.
pub fn seed() -> u64 {
    match std::env::var("REMPART_SCAN_SEED") {
        Ok(seed) => seed.parse().expect("REMPART_SCAN_SEED is a number"),
        Err(_) => {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64 % 1_000_000
        }
    }
}

pub const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub const HEX: &str = "0123456789abcdef";
pub const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    // SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A text of these characters, with a digit and a letter in it.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        loop {
            let text: String = (0..length).map(|_| *self.pick(&alphabet)).collect();
            if text.contains(|c: char| c.is_ascii_digit()) && text.contains(|c: char| c.is_ascii_alphabetic()) {
                return text;
            }
        }
    }

    /// A password as people make them up: a word, a digit, a sign.
    pub fn password(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "hunter", "Sommer", "dragon", "letmein", "Paris", "monkey", "qwertz", "shadow", "Winter", "trustno",
            "batman", "Lyon",
        ];
        const SIGNS: [&str; 6] = ["", "!", "#", "_", "%", "+"];
        format!("{}{}{}", self.pick(&WORDS), 11 + self.below(88), self.pick(&SIGNS))
    }

    pub fn uuid(&mut self) -> String {
        let text = self.text(HEX, 32);
        format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }

    /// The base64 of so many drawn bytes.
    pub fn base64(&mut self, bytes: usize) -> String {
        use base64::Engine;
        let bytes: Vec<u8> = (0..bytes).map(|_| self.next().to_le_bytes()[0]).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }
}
