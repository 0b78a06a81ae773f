//! Listing a partition by name, with what lies deeper summed up by the beginning of its names.

use super::index::{List, Positions, after_prefix, id_of, just_after, position};
use super::search::{MAX_CANDIDATES, Position};
use super::{MetadataStore, Scan};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::Partition;
use crate::domain::search::SortKey;
use crate::fault::Fault;

/// How much is read at first when names are summed up.
const FIRST_CHUNK: usize = 2;

/// What to list.
pub struct Directory<'a> {
    /// Of what.
    pub partition: &'a Partition,
    /// What names begin with.
    pub prefix: &'a str,
    /// What ends the common beginning of names that are summed up; not empty.
    pub delimiter: Option<&'a str>,
    /// Behind which position.
    pub after: Option<&'a Position>,
    /// How many artifacts and beginnings at most.
    pub limit: usize,
    /// Whether the caller may know of an artifact.
    pub visible: &'a (dyn Fn(&Artifact) -> bool + Sync),
}

/// A page of a listing, in the order of names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contents {
    /// Artifacts whose names have no delimiter behind the prefix.
    pub items: Vec<Artifact>,
    /// What the names of all others begin with, up to and with the delimiter.
    pub prefixes: Vec<String>,
    /// Where to go on; `None` when there is nothing more.
    pub next: Option<Position>,
}

impl dyn MetadataStore {
    /// One page of a listing.
    pub async fn directory(&self, directory: &Directory<'_>) -> Result<Contents, Fault> {
        let list = List::all(SortKey::Filename);
        let mut contents = Contents::default();
        let mut left = Positions::beginning_with(directory.prefix.as_bytes());
        if let Some(Position(from)) = directory.after {
            left = left.starting(from.clone());
        }
        let mut looked_at = 0;
        let mut chunk = FIRST_CHUNK;
        loop {
            let wanted = directory.limit.saturating_sub(contents.items.len() + contents.prefixes.len());
            if wanted == 0 || looked_at >= MAX_CANDIDATES {
                contents.next = Some(Position(left.from));
                return Ok(contents);
            }
            let count = if directory.delimiter.is_some() { chunk.min(wanted) } else { wanted };
            let scan = Scan { range: list.range(&left), descending: false, limit: count + 1 };
            let entries = self.scan(directory.partition, &[scan]).await?.into_iter().next().unwrap_or_default();
            let positions: Vec<&[u8]> = entries.iter().take(count).map(|entry| list.position_of(entry)).collect();
            let (from, skipped) = self.add(&mut contents, directory, &positions).await?;
            if entries.len() <= count {
                return Ok(contents);
            }
            looked_at += positions.len();
            left = left.starting(from);
            // What is skipped need not be read: after one beginning, another is likely.
            chunk = if skipped { FIRST_CHUNK } else { chunk.saturating_mul(2) };
        }
    }

    /// Adds what is at these positions. Says where to go on, and whether something was summed up.
    async fn add(
        &self,
        contents: &mut Contents,
        directory: &Directory<'_>,
        positions: &[&[u8]],
    ) -> Result<(Vec<u8>, bool), Fault> {
        let ids: Vec<ArtifactId> = positions.iter().filter_map(|position| id_of(position)).collect();
        let records = self.artifacts(&ids).await?;
        let (mut from, mut skipped) = (Vec::new(), false);
        for (found_at, record) in positions.iter().zip(records) {
            // Part of what was just summed up.
            if *found_at < from.as_slice() {
                continue;
            }
            from = just_after(found_at);
            let is_listed = |record: &Artifact| {
                record.partition == *directory.partition
                    && position(record, SortKey::Filename) == *found_at
                    && (directory.visible)(record)
            };
            let Some(record) = record.filter(is_listed) else { continue };
            match beginning(&record, directory) {
                Some(beginning) => {
                    from = after_prefix(beginning.as_bytes());
                    skipped = true;
                    contents.prefixes.push(beginning);
                }
                None => contents.items.push(record),
            }
        }
        Ok((from, skipped))
    }
}

/// The name up to the first delimiter behind the prefix, if there is one.
fn beginning(artifact: &Artifact, directory: &Directory<'_>) -> Option<String> {
    let name = artifact.description.filename.as_ref()?.as_str();
    let delimiter = directory.delimiter?;
    let (first, _) = name.strip_prefix(directory.prefix)?.split_once(delimiter)?;
    Some(format!("{}{first}{delimiter}", directory.prefix))
}
