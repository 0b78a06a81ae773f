//! Where values come from: the environment, `.env` and the TOML file, the first winning.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use config::builder::DefaultState;
use config::{ConfigBuilder, Environment, File, FileFormat, Map, Value, ValueKind};

use super::error::ConfigError;
use super::unknown;
use super::values::Raw;
use super::{CONFIG_FILE, all_settings};

/// The values of all known settings by their TOML key, without the empty ones; what is wrong is added
/// to `errors`. `None` if a file cannot be read: without its values nothing can be said of the others.
pub(super) fn collect(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    dotenv: Option<&Path>,
    errors: &mut Vec<ConfigError>,
) -> Option<BTreeMap<String, Raw>> {
    let environment = known(environment, errors);
    let dotenv = dotenv.map_or(Ok(BTreeMap::new()), read_dotenv).map_err(|error| errors.push(error)).ok()?;
    let dotenv = known(dotenv.into_iter().map(|(name, value)| (name.into(), value.into())), errors);
    let file = match environment.get(CONFIG_FILE.name).or_else(|| dotenv.get(CONFIG_FILE.name)) {
        Some(path) => read_toml(path, errors)?,
        None => ConfigBuilder::default(),
    };
    let variables = |source| Environment::default().source(Some(source));
    let merged = file.add_source(variables(dotenv)).add_source(variables(environment)).build();
    // The file was read before, and variables cannot fail: they are known and text.
    let table = merged.and_then(|merged| merged.cache.into_table()).unwrap_or_default();
    Some(table.into_iter().filter_map(|(key, value)| Some((key.clone(), raw(&key, value, errors)?))).collect())
}

/// The variables that are settings. A variable that looks like one but is not is an error.
fn known(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    errors: &mut Vec<ConfigError>,
) -> Map<String, String> {
    let mut settings = Map::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        if !all_settings().any(|setting| setting.name == name) {
            errors.extend(unknown::variable(&name, &value.to_string_lossy()));
            continue;
        }
        match value.into_string() {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => drop(settings.insert(name, value.trim().to_owned())),
            Err(_) => errors.push(ConfigError::new(name, "the value is not valid UTF-8")),
        }
    }
    settings
}

/// The variables in `.env`, if there is such a file. The process's environment stays as it is.
fn read_dotenv(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let problem = |text| ConfigError::new(path.to_string_lossy(), text);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(problem(format!("cannot be read: {error}"))),
    };
    let mut variables = BTreeMap::new();
    let mut place = "the first entry".to_owned();
    for item in dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
        // The error would show the line, which may hold a secret.
        let (name, value) =
            item.map_err(|_| problem(format!("{place} is not of the form NAME=value or has an open quote")))?;
        place = format!("the entry after {name}");
        variables.insert(name, value);
    }
    Ok(variables)
}

/// A builder with the TOML file at `path`, whose keys are checked.
fn read_toml(path: &str, errors: &mut Vec<ConfigError>) -> Option<ConfigBuilder<DefaultState>> {
    let mut problem = |text| errors.push(ConfigError::new(CONFIG_FILE.name, format!("{path:?} {text}")));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problem(format!("cannot be read: {error}"));
            return None;
        }
    };
    let builder = ConfigBuilder::<DefaultState>::default().add_source(File::from_str(&text, FileFormat::Toml));
    match builder.build_cloned().and_then(|file| file.cache.into_table()) {
        Ok(table) => {
            errors.extend(table.keys().filter_map(|key| unknown::toml_key(key)));
            Some(builder)
        }
        Err(error) => {
            problem(format!("is not valid TOML: {}", first_line(&error)));
            None
        }
    }
}

/// Where the error is. What follows shows the line of the file, which may hold a secret.
fn first_line(error: &config::ConfigError) -> String {
    let cause = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    cause.lines().next().unwrap_or_default().to_owned()
}

/// A value of a known setting, as text; `None` if it is empty, unknown or neither text nor a list of texts.
fn raw(key: &str, value: Value, errors: &mut Vec<ConfigError>) -> Option<Raw> {
    let setting = all_settings().find(|setting| setting.key() == key)?;
    let raw = match value.kind {
        ValueKind::Array(items) => items.into_iter().map(Value::into_string).collect::<Result<_, _>>().map(Raw::List),
        _ => value.into_string().map(|text| Raw::Text(text.trim().to_owned())),
    };
    match raw {
        Ok(Raw::Text(text)) if text.is_empty() => None,
        Ok(raw) => Some(raw),
        Err(_) => {
            errors.push(ConfigError::new(setting.name, "expected text, a number, true or false, or a list of texts"));
            None
        }
    }
}
