//! What a setting is: its name, its default, what it means and how it is printed.
//!
//! Every section declares its settings with [`settings!`]; the list of all of them is
//! [`SECTIONS`](super::SECTIONS), which also writes `.env.example`.

use std::fmt::Write as _;

use url::Url;

use crate::secret::Secret;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable; the key in the TOML file is the same in lower case.
    pub name: &'static str,
    /// What it means, in a sentence or two.
    pub about: &'static str,
    /// What holds when it is not set.
    pub default: Default,
    /// What of it may be printed.
    pub visibility: Visibility,
}

/// What holds when a setting is not set.
#[derive(Debug, Clone, Copy)]
pub enum Default {
    /// This value.
    Value(&'static str),
    /// This file or folder in `ARTIFACTD_DATA_DIR`.
    InDataDir(&'static str),
    /// Something that is no fixed value, in words.
    Described(&'static str),
}

/// What of a setting may be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All of it.
    Plain,
    /// A URL without user, password and query.
    Url,
    /// Nothing.
    Secret,
}

/// Settings that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// The settings, in the order in which they are listed.
    pub settings: &'static [Setting],
}

impl Setting {
    pub(super) const fn new(name: &'static str, default: Default, about: &'static str) -> Self {
        Self { name, about, default, visibility: Visibility::Plain }
    }

    pub(super) const fn url(self) -> Self {
        Self { visibility: Visibility::Url, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { visibility: Visibility::Secret, ..self }
    }

    /// The key in the TOML file.
    pub fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// `text`, a value of this setting, as it may be printed.
    pub(super) fn printable(&self, text: &str) -> String {
        match self.visibility {
            _ if text.is_empty() => String::new(),
            Visibility::Plain => text.to_owned(),
            Visibility::Secret => Secret::REDACTED.to_owned(),
            Visibility::Url => match Url::parse(text) {
                Ok(url) if may_hold_secret(&url) => printable_url(&url),
                Ok(_) => text.to_owned(),
                // What is not a URL may still have a password in it.
                Err(_) if text.contains('@') => Secret::REDACTED.to_owned(),
                Err(_) => text.to_owned(),
            },
        }
    }
}

/// `url` with its user, password and query replaced.
pub(super) fn printable_url(url: &Url) -> String {
    let mut shown = url.clone();
    if has_user(url) {
        // Both fail only for URLs that have no host, and those have no user.
        let _ = shown.set_password(None);
        let _ = shown.set_username(Secret::REDACTED);
    }
    if url.query().is_some() {
        shown.set_query(Some(Secret::REDACTED));
    }
    shown.to_string()
}

fn may_hold_secret(url: &Url) -> bool {
    has_user(url) || url.query().is_some()
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Declares the settings of a section as constants, and the section as `SECTION`.
macro_rules! settings {
    ($title:literal: $($constant:ident = $setting:expr;)+) => {
        $(const $constant: $crate::config::setting::Setting = $setting;)+
        pub(super) const SECTION: $crate::config::setting::Section =
            $crate::config::setting::Section { title: $title, settings: &[$($constant),+] };
    };
}
pub(super) use settings;

/// The text of `.env.example`: every setting with its default, commented out.
pub(super) fn env_example(sections: &[Section]) -> String {
    let mut text = String::from(
        "# All settings of artifactd. Copy this file to .env and uncomment what should differ from the default.\n\
         # Variables of the environment win over .env, and both win over the TOML file.\n",
    );
    for section in sections {
        let _ = write!(text, "\n# ---- {} ----\n", section.title);
        for setting in section.settings {
            let _ = write!(text, "\n# {}", setting.about);
            let value = match setting.default {
                Default::Value(value) => value.to_owned(),
                Default::InDataDir(name) => format!("./data/{name}"),
                Default::Described(words) => {
                    let _ = write!(text, " Default: {words}.");
                    String::new()
                }
            };
            let _ = write!(text, "\n#{}={value}\n", setting.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_depends_on_the_visibility() {
        let setting = Setting::new("X", Default::Value(""), "");
        for (setting, text, printed) in [
            (setting, "value", "value"),
            (setting.secret(), "value", "***"),
            (setting.secret(), "", ""),
            (setting.url(), "redis://localhost:6379/0", "redis://localhost:6379/0"),
            (setting.url(), "redis://:hunter2@localhost/0", "redis://***@localhost/0"),
            (setting.url(), "https://key@host/path", "https://***@host/path"),
            (setting.url(), "https://host/path?key=hunter2", "https://host/path?***"),
            (setting.url(), "not a url", "not a url"),
            (setting.url(), "redis//user:hunter2@host", "***"),
        ] {
            assert_eq!(setting.printable(text), printed, "{text}");
        }
    }
}
