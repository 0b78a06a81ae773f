//! The values that were given, as the sections read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::parse::{self, Expected};
use super::setting::{Default, Setting};

/// A value as it was given: a TOML array stays one, so that its items may contain commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    List(Vec<String>),
}

/// Stands in for a value that is wrong; the error is already in the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// The given values, what became of them, and what was wrong with them.
///
/// Reading goes on after an error, so that all errors are found in one run.
pub(super) struct Values {
    given: BTreeMap<String, Raw>,
    effective: BTreeMap<&'static str, String>,
    errors: Vec<ConfigError>,
}

impl Values {
    /// Values by their TOML key; none of them is empty.
    pub(super) fn new(given: BTreeMap<String, Raw>, errors: Vec<ConfigError>) -> Self {
        Self { given, effective: BTreeMap::new(), errors }
    }

    /// The value of a setting with a fixed default.
    pub(super) fn required<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Expected>,
    ) -> Result<T, Reported> {
        self.optional(setting, parse)?.ok_or_else(|| self.reject(setting, "must be set"))
    }

    /// The value of a setting, or its default if it has a fixed one.
    pub(super) fn optional<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Expected>,
    ) -> Result<Option<T>, Reported> {
        let text = match (self.given.get(&setting.key()), setting.default) {
            (Some(Raw::Text(text)), _) => text.clone(),
            (Some(Raw::List(_)), _) => return Err(self.reject(setting, "expected one value, not a list")),
            (None, Default::Value(text)) => text.to_owned(),
            (None, _) => String::new(),
        };
        self.effective.insert(setting.name, setting.printable(&text));
        if text.is_empty() {
            return Ok(None);
        }
        parse(&text).map(Some).map_err(|expected| self.invalid(setting, &text, expected))
    }

    /// The value of a setting, or a default that depends on other settings.
    pub(super) fn or<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Expected>,
        default: &str,
    ) -> Result<T, Reported> {
        self.given.entry(setting.key()).or_insert_with(|| Raw::Text(default.to_owned()));
        self.required(setting, parse)
    }

    /// The path of a setting whose default is in the data folder.
    pub(super) fn in_data_dir(&mut self, setting: &Setting, data_dir: &Path) -> Result<PathBuf, Reported> {
        let default = match setting.default {
            Default::InDataDir(name) => data_dir.join(name),
            Default::Value(_) | Default::Described(_) => data_dir.to_owned(),
        };
        self.or(setting, parse::path, &default.to_string_lossy())
    }

    /// The values of a setting that takes several: a comma-separated text, or a TOML array.
    pub(super) fn list<T>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<Vec<T>, Reported> {
        let items: Vec<String> = match self.given.get(&setting.key()) {
            Some(Raw::List(items)) => items.clone(),
            Some(Raw::Text(text)) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            None => Vec::new(),
        };
        let items: Vec<String> = items.into_iter().filter(|item| !item.is_empty()).collect();
        self.effective.insert(setting.name, setting.printable(&items.join(",")));
        let parsed: Vec<_> =
            items.iter().map(|item| parse(item).map_err(|expected| self.invalid(setting, item, expected))).collect();
        parsed.into_iter().collect()
    }

    fn invalid(&mut self, setting: &Setting, text: &str, expected: Expected) -> Reported {
        let shown = setting.printable(text);
        let problem = if shown == text {
            format!("{shown:?} is not valid: expected {expected}")
        } else {
            format!("the value is not valid: expected {expected}")
        };
        self.reject(setting, problem)
    }

    /// Reports that a setting is wrong.
    pub(super) fn reject(&mut self, setting: &Setting, problem: impl Into<String>) -> Reported {
        self.errors.push(ConfigError::new(setting.name, problem));
        Reported
    }

    /// Every setting that was read with its printable value, and all errors.
    pub(super) fn finish(self) -> (BTreeMap<&'static str, String>, Vec<ConfigError>) {
        (self.effective, self.errors)
    }
}
