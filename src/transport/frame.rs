//! Owns cutting one script's output out of a stream: everything between its two markers, byte for byte.
//!
//! Must not know channels. The markers hold a random key that reached the far side on a stream nobody else reads, so
//! neither noise nor a hostile file that a script prints can pass for one.

/// One stream of one script.
pub(super) struct Frame {
    begin: Vec<u8>,
    end: Vec<u8>,
    begun: bool,
    status: Option<i32>,
    held: Vec<u8>,
    output: Vec<u8>,
}

impl Frame {
    /// For the script whose key is `key`.
    pub fn new(key: &str) -> Self {
        let (begin, end) = (format!("{key} begin\n").into_bytes(), format!("{key} end ").into_bytes());
        Self { begin, end, begun: false, status: None, held: Vec::new(), output: Vec::new() }
    }

    /// Takes bytes in; gives the part of the output that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> &[u8] {
        let before = self.output.len();
        if self.status.is_none() {
            self.held.extend_from_slice(bytes);
            self.cut();
        }
        &self.output[before..]
    }

    fn cut(&mut self) {
        if !self.begun {
            match find(&self.held, &self.begin) {
                Some(at) => {
                    self.held.drain(..at + self.begin.len());
                    self.begun = true;
                }
                None => {
                    let noise = self.held.len() - tail(&self.held, &self.begin);
                    self.held.drain(..noise);
                    return;
                }
            }
        }
        match find(&self.held, &self.end) {
            Some(at) => {
                self.output.extend(self.held.drain(..at));
                let rest = &self.held[self.end.len()..];
                if let Some(line) = rest.iter().position(|byte| *byte == b'\n') {
                    let status = std::str::from_utf8(&rest[..line]).ok().and_then(|text| text.parse().ok());
                    // Our own loader wrote this; anything else there must not read as success.
                    self.status = Some(status.unwrap_or(255));
                    self.held.clear();
                }
            }
            None => {
                let sure = self.held.len() - tail(&self.held, &self.end);
                self.output.extend(self.held.drain(..sure));
            }
        }
    }

    /// The exit status, once the frame is whole.
    pub fn status(&self) -> Option<i32> {
        self.status
    }

    /// How much output there is so far.
    pub fn len(&self) -> usize {
        self.output.len()
    }

    /// The output.
    pub fn into_output(self) -> Vec<u8> {
        self.output
    }
}

/// Where `needle` begins.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| byte == first) {
        if text.get(from + at + 1..)?.starts_with(rest) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// How many of the last bytes of `text` may be the beginning of `needle`.
fn tail(text: &[u8], needle: &[u8]) -> usize {
    let most = text.len().min(needle.len().saturating_sub(1));
    (1..=most).rev().find(|length| needle.starts_with(&text[text.len() - length..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_output_in_any_pieces_comes_out_whole(
            noise in proptest::collection::vec(any::<u8>(), 0..50),
            parts in proptest::collection::vec(
                prop_oneof![Just(b"k3y ".to_vec()), Just(b"k3y e".to_vec()), Just(b"k3y end".to_vec()),
                    Just(b"k3y begin\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..9)], 0..20),
            status in 0..256, size in 1..30usize,
        ) {
            let output = parts.concat();
            prop_assume!(find(&output, b"k3y end ").is_none() && find(&noise, b"k3y").is_none());
            prop_assume!(!noise.contains(&b'k'));
            let mut sent = noise;
            sent.extend_from_slice(b"k3y begin\n");
            sent.extend_from_slice(&output);
            let whole = sent.len();
            sent.extend_from_slice(format!("k3y end {status}\nlate").as_bytes());
            prop_assume!(find(&sent, b"k3y end ") == Some(whole));
            let mut frame = Frame::new("k3y");
            let mut heard = Vec::new();
            for piece in sent.chunks(size) {
                heard.extend_from_slice(frame.push(piece));
            }
            prop_assert_eq!(frame.status(), Some(status));
            prop_assert_eq!(&heard, &output);
            prop_assert_eq!(frame.into_output(), output);
        }
    }

    #[test]
    fn a_cut_frame_has_no_status() {
        let mut frame = Frame::new("k");
        frame.push(b"k begin\nhalf k end 0");
        assert_eq!(frame.status(), None);
        frame.push(b"\n");
        assert_eq!(frame.status(), Some(0));
        let mut forged = Frame::new("k");
        forged.push(b"k begin\nk end zero\n");
        assert_eq!(forged.status(), Some(255));
    }
}
