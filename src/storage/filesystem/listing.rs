//! Listings in the order of whole keys.
//!
//! A folder is read as if its name ended in `/`: `a.2` comes before `a/b`, as the keys themselves do.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::info;
use super::temp::TEMP;
use crate::storage::{Key, ObjectInfo};

/// At most so many names of one folder are in memory at a time.
const NAMES: usize = 1024;

/// At most `limit` objects whose key starts with `prefix`, behind `after`.
pub(super) fn list(root: &Path, prefix: &str, after: Option<&Key>, limit: usize) -> io::Result<Vec<ObjectInfo>> {
    let mut listing = Listing { prefix, after: after.map_or("", Key::as_str), limit, found: Vec::new() };
    // Only what is below the folder that the prefix names can match.
    match prefix.rsplit_once('/') {
        None => listing.walk(root, "")?,
        Some((folder, _)) if Key::from_listing(folder).is_some() => {
            listing.walk(&root.join(folder), &prefix[..=folder.len()])?;
        }
        Some(_) => {}
    }
    Ok(listing.found)
}

struct Listing<'a> {
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<ObjectInfo>,
}

impl Listing<'_> {
    /// Adds what is in `folder`, whose keys start with `base`.
    fn walk(&mut self, folder: &Path, base: &str) -> io::Result<()> {
        let mut last = String::new();
        loop {
            let names = self.names(folder, base, &last)?;
            for name in &names {
                if self.found.len() == self.limit {
                    return Ok(());
                }
                self.visit(folder, base, name)?;
            }
            let is_full = names.len() == NAMES;
            match names.into_iter().next_back() {
                Some(name) if is_full => last = name,
                _ => return Ok(()),
            }
        }
    }

    fn visit(&mut self, folder: &Path, base: &str, name: &str) -> io::Result<()> {
        let text = format!("{base}{name}");
        if let Some(name) = name.strip_suffix('/') {
            return self.walk(&folder.join(name), &text);
        }
        let Some(key) = Key::from_listing(&text) else { return Ok(()) };
        match fs::metadata(folder.join(name)) {
            Ok(metadata) => self.found.push(info(&key, &metadata)?),
            // Deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The first names behind `last` that the listing wants; those of folders end in `/`.
    fn names(&self, folder: &Path, base: &str, last: &str) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // Never there, removed since, or an object; but the root is there as long as the storage works.
            Err(error)
                if !base.is_empty() && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(names);
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(mut name) = entry.file_name().into_string() else { continue };
            let is_folder = entry.file_type()?.is_dir();
            if base.is_empty() && name == TEMP {
                continue;
            }
            if is_folder {
                name.push('/');
            }
            if name.as_str() > last && self.wants(base, &name) {
                names.insert(name);
                if names.len() > NAMES {
                    names.pop_last();
                }
            }
        }
        Ok(names)
    }

    fn wants(&self, base: &str, name: &str) -> bool {
        let text = format!("{base}{name}");
        let is_folder = name.ends_with('/');
        let matches = text.starts_with(self.prefix) || (is_folder && self.prefix.starts_with(&text));
        let follows = text.as_str() > self.after || (is_folder && self.after.starts_with(&text));
        matches && follows
    }
}
