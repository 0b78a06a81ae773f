//! Listing a partition by name, with what lies deeper summed up by the beginning of its names.

use super::index::{List, Positions, after_prefix, id_of, just_after, position};
use super::search::{MAX_BATCH, MAX_CANDIDATES, MAX_PAGE_META_BYTES, Position};
use super::{MetadataStore, Scan};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::Partition;
use crate::domain::search::SortKey;
use crate::fault::Fault;

/// How much is read at first when names are summed up.
const FIRST_BATCH: usize = 2;

/// What to list.
#[derive(Clone, Copy)]
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
    /// Where to go on; `None` when there is nothing more. A page may be short, or empty, and not be the last.
    pub next: Option<Position>,
}

impl Contents {
    fn len(&self) -> usize {
        self.items.len() + self.prefixes.len()
    }
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
        let (mut looked_at, mut held) = (0, 0);
        let mut batch = if directory.delimiter.is_some() { FIRST_BATCH } else { MAX_BATCH };
        while contents.len() < directory.limit && looked_at < MAX_CANDIDATES && held < MAX_PAGE_META_BYTES {
            let count = batch.min(directory.limit - contents.len()).min(MAX_CANDIDATES - looked_at);
            // One more than is looked at, to know whether there is more.
            let scan = Scan { range: list.range(&left), descending: false, limit: count + 1 };
            let entries = self.scan(directory.partition, &[scan]).await?.into_iter().next().unwrap_or_default();
            let positions: Vec<&[u8]> = entries.iter().take(count).map(|entry| list.position_of(entry)).collect();
            let Looked { from, passed_over, meta_bytes } = self.add(&mut contents, directory, &positions).await?;
            if entries.len() <= count {
                contents.next = None;
                break;
            }
            looked_at += positions.len();
            held += meta_bytes;
            contents.next = Some(Position(from.clone()));
            left = left.starting(from);
            // What was summed up need not be read: where there is much of it, little is read at a time.
            batch = if passed_over { FIRST_BATCH } else { batch.saturating_mul(2).min(MAX_BATCH) };
        }
        Ok(contents)
    }

    /// Adds what is at these positions.
    async fn add(
        &self,
        contents: &mut Contents,
        directory: &Directory<'_>,
        positions: &[&[u8]],
    ) -> Result<Looked, Fault> {
        let ids: Vec<ArtifactId> = positions.iter().filter_map(|position| id_of(position)).collect();
        let records = self.artifacts(&ids).await?;
        let mut looked = Looked { from: Vec::new(), passed_over: false, meta_bytes: 0 };
        for (found_at, record) in positions.iter().zip(records) {
            if *found_at < looked.from.as_slice() {
                looked.passed_over = true;
                continue;
            }
            looked.from = just_after(found_at);
            let Some(record) = record.filter(|record| directory.lists(record, found_at)) else { continue };
            match directory.beginning_of(&record) {
                Some(beginning) => {
                    looked.from = after_prefix(beginning.as_bytes());
                    contents.prefixes.push(beginning);
                }
                None => {
                    looked.meta_bytes += record.description.meta.encoded_len();
                    contents.items.push(record);
                }
            }
        }
        Ok(looked)
    }
}

/// What came of looking at some positions.
struct Looked {
    /// Where to go on.
    from: Vec<u8>,
    /// Whether some of them were part of what was summed up.
    passed_over: bool,
    /// The size of the metadata that has come in.
    meta_bytes: usize,
}

impl Directory<'_> {
    /// The entry may be older than the record.
    fn lists(&self, record: &Artifact, found_at: &[u8]) -> bool {
        record.partition == *self.partition
            && position(record, SortKey::Filename) == found_at
            && name_of(record).starts_with(self.prefix)
            && (self.visible)(record)
    }

    /// The name up to the first delimiter behind the prefix, if there is one.
    fn beginning_of(&self, record: &Artifact) -> Option<String> {
        let delimiter = self.delimiter?;
        let (first, _) = name_of(record).strip_prefix(self.prefix)?.split_once(delimiter)?;
        Some(format!("{}{first}{delimiter}", self.prefix))
    }
}

fn name_of(artifact: &Artifact) -> &str {
    artifact.description.filename.as_ref().map_or("", |name| name.as_str())
}
