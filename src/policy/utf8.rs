//! Whether bytes that come in pieces are text in UTF-8.

use std::str::from_utf8;

/// Looks at bytes as they pass, up to the first that do not fit.
#[derive(Debug)]
pub(super) enum Utf8Check {
    /// All so far fit, but for the beginning of a character whose end has not come.
    SoFar { begun: [u8; 4], length: usize },
    /// They are something else.
    Broken,
}

impl Default for Utf8Check {
    fn default() -> Self {
        Self::SoFar { begun: [0; 4], length: 0 }
    }
}

impl Utf8Check {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let Self::SoFar { begun, length } = self else { return };
        // A character that lies across two pieces is put together byte by byte.
        while *length > 0
            && let Some((first, rest)) = bytes.split_first()
        {
            begun[*length] = *first;
            *length += 1;
            bytes = rest;
            match from_utf8(&begun[..*length]) {
                Ok(_) => *length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return *self = Self::Broken,
            }
        }
        match from_utf8(bytes) {
            Ok(_) => {}
            Err(error) if error.error_len().is_none() => {
                let tail = &bytes[error.valid_up_to()..];
                begun[..tail.len()].copy_from_slice(tail);
                *length = tail.len();
            }
            Err(_) => *self = Self::Broken,
        }
    }

    /// Whether all that has come is UTF-8, and whole.
    pub(super) fn holds(&self) -> bool {
        matches!(self, Self::SoFar { length: 0, .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut check = Utf8Check::default();
        pieces.into_iter().for_each(|piece| check.update(piece));
        check.holds()
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_bytes_are_cut(
            text in "[aé報😀]{0,12}", noise: Option<(usize, u8)>, piece in 1..5_usize
        ) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = noise && !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            prop_assert_eq!(check(bytes.chunks(piece)), from_utf8(&bytes).is_ok());
        }
    }

    #[test]
    fn a_character_that_is_cut_short_is_no_text() {
        assert!(check([&b"\xc3"[..], b"\xa4"]));
        assert!(!check([&b"a\xc3"[..]]));
        assert!(!check([&b"\xff"[..], b"abc"]));
    }
}
