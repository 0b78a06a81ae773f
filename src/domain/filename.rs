//! File names: labels that clients may safely turn into paths.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_text};

/// The longest file name, in bytes of UTF-8.
pub const MAX_FILENAME_BYTES: usize = 1024;

/// A relative path such as `docs/report.pdf`. It has no control characters and no segment that is
/// empty, `.` or `..`, so that a client that writes files under their names stays in its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filename(Box<str>);

impl Filename {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn base_name(&self) -> &str {
        self.0.rsplit(['/', '\\']).next().unwrap_or(&self.0)
    }

    /// The name to save a download under: the last segment, but not what Windows takes for a drive, a stream or a device.
    pub fn download_name(&self) -> Cow<'_, str> {
        let name = self.base_name();
        if name.contains(':') || name.ends_with(['.', ' ']) || is_device(name) {
            let name = name.trim_end_matches(['.', ' ']).replace(':', "_");
            return Cow::Owned(if is_device(&name) || name.is_empty() { format!("_{name}") } else { name });
        }
        Cow::Borrowed(name)
    }
}

impl FromStr for Filename {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new("must not be empty"));
        }
        if text.len() > MAX_FILENAME_BYTES {
            return Err(format!("must take at most {MAX_FILENAME_BYTES} bytes").into());
        }
        if text.chars().any(|c| c.is_control() || is_misleading(c)) {
            return Err(Invalid::new("must not contain control characters"));
        }
        if text.split(['/', '\\']).any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Invalid::new("must be a relative path without empty, '.' or '..' segments"));
        }
        Ok(Self(text.into()))
    }
}

/// Whether Windows takes `name` for a device, whatever its ending.
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let is_numbered = numbered.is_some_and(|number| {
        let mut characters = number.chars();
        matches!((characters.next(), characters.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    });
    is_numbered || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
}

/// Line separators, and what turns the direction of text: it makes `gpj.exe` look like `exe.jpg`.
fn is_misleading(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Filename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Filename);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_in_any_script_are_kept() {
        for name in ["a.txt", "docs/README.md", "😀.png", "it's \"quoted\".txt", "報告.pdf", "..a", "a..b", ".env"]
        {
            assert_eq!(name.parse::<Filename>().unwrap().as_str(), name);
        }
        for path in ["docs/README.md", "docs\\README.md", "README.md"] {
            assert_eq!(path.parse::<Filename>().unwrap().base_name(), "README.md");
        }
    }

    #[test]
    fn downloads_get_no_name_that_windows_takes_for_something_else() {
        for (name, saved) in [
            ("C:evil.txt", "C_evil.txt"),
            ("docs/file.txt:stream", "file.txt_stream"),
            ("con", "_con"),
            ("NUL.tar.gz", "_NUL.tar.gz"),
            ("a/lpt1 .txt", "_lpt1 .txt"),
            ("COM²", "_COM²"),
            ("aux:", "aux_"),
            ("notes. .", "notes"),
            ("console.log", "console.log"),
            ("com10.txt", "com10.txt"),
            ("報告.pdf", "報告.pdf"),
        ] {
            assert_eq!(name.parse::<Filename>().unwrap().download_name(), saved);
        }
    }

    #[test]
    fn names_that_could_leave_a_folder_or_a_header_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "..\\x",
            "a\r\nb",
            "a\0b",
            "a\u{202e}gpj.exe",
            &"x".repeat(1025),
        ] {
            assert!(name.parse::<Filename>().is_err(), "{name:?}");
        }
    }
}
