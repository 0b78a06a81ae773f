//! Searching, once for all providers: candidates come from the index, the records decide.
//!
//! A page is made by walking lists of the index in the order asked for (`walk.rs`), looking at the record of
//! each candidate. What the filter says decides which lists (`plan.rs`): the shortest that holds everything it
//! wants. When that is short but in another order, it is read whole and sorted.
//!
//! However little of it matches, a page costs a bounded amount of reading: it ends early after
//! [`MAX_CANDIDATES`] candidates, and the next one goes on from there. So it does when it holds much metadata.

mod plan;
mod walk;

use futures::future::try_join_all;

use self::plan::Planner;
use self::walk::{Candidate, Walk};
use super::MetadataStore;
use super::index::position;
use crate::domain::artifact::Artifact;
use crate::domain::scope::Partition;
use crate::domain::search::{Filter, Order};
use crate::fault::Fault;

/// How many candidates are looked at for a page, and how many are sorted in each partition.
pub const MAX_CANDIDATES: usize = 2_000;

/// How many records are read at a time: each may be large.
pub(super) const MAX_BATCH: usize = 128;

/// After how many bytes of metadata, as JSON, a page ends: in memory they can take a hundred times as much.
pub(super) const MAX_PAGE_META_BYTES: usize = 1024 * 1024;

/// The least that is read of anything that is read piece by piece.
const MIN_BATCH: usize = 16;

/// What to search.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Where. No partition twice.
    pub partitions: &'a [Partition],
    /// For what.
    pub filter: &'a Filter,
    /// In which order.
    pub order: Order,
    /// Behind which position.
    pub after: Option<&'a Position>,
    /// How many at most.
    pub limit: usize,
    /// Whether the caller may know of an artifact: expired ones may still be there.
    pub visible: &'a (dyn Fn(&Artifact) -> bool + Sync),
}

/// A place in the results of a search. It means something for a search of the same order only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(pub Vec<u8>);

/// A page of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What was found.
    pub items: Vec<Artifact>,
    /// Where to go on; `None` when there is nothing more. A page may be short, or empty, and not be the last.
    pub next: Option<Position>,
}

impl dyn MetadataStore {
    /// One page of a search.
    pub async fn search(&self, search: &Search<'_>) -> Result<Found, Fault> {
        let plans = search.partitions.iter().map(|partition| Planner { store: self, search, partition }.part());
        let mut walk = Walk::new(self, search.order.descending, try_join_all(plans).await?);
        let mut found = Found { items: Vec::new(), next: None };
        let (mut looked_at, mut meta_bytes) = (0, 0);
        while found.items.len() < search.limit && looked_at < MAX_CANDIDATES && meta_bytes < MAX_PAGE_META_BYTES {
            let batch = batch(search.limit - found.items.len(), looked_at, found.items.len());
            let candidates = walk.next(batch.min(MAX_CANDIDATES - looked_at)).await?;
            looked_at += candidates.len();
            let mut candidates = candidates.into_iter();
            while found.items.len() < search.limit
                && meta_bytes < MAX_PAGE_META_BYTES
                && let Some((candidate, record)) = candidates.next()
            {
                meta_bytes += found.look_at(candidate, record, search);
            }
            if candidates.len() == 0 && walk.is_over() {
                found.next = None;
                break;
            }
        }
        Ok(found)
    }
}

impl Found {
    /// Gives the size of the metadata that has come in.
    fn look_at(&mut self, candidate: Candidate<'_>, record: Option<Artifact>, search: &Search<'_>) -> usize {
        let Candidate { position, partition, .. } = candidate;
        let position = Position(position);
        // One whose media type has just changed may be met in two lists.
        let is_new = self.next.as_ref() != Some(&position);
        let record = record.filter(|record| is_new && is_wanted(record, partition, search, &position.0));
        let meta_bytes = record.as_ref().map_or(0, |record| record.description.meta.encoded_len());
        self.items.extend(record);
        self.next = Some(position);
        meta_bytes
    }
}

/// How many candidates are likely to hold the `missing` results, when `looked_at` have held `found` so far.
fn batch(missing: usize, looked_at: usize, found: usize) -> usize {
    let candidates_each = looked_at.div_ceil(found.max(1)).max(1);
    let least = if looked_at == 0 { 1 } else { MIN_BATCH };
    missing.saturating_mul(candidates_each).clamp(least, MAX_BATCH)
}

/// The entry may be older than the record, and lists may hold what does not belong to them.
fn is_wanted(record: &Artifact, partition: &Partition, search: &Search<'_>, found_at: &[u8]) -> bool {
    record.partition == *partition
        && position(record, search.order.by) == found_at
        && search.filter.matches(record)
        && (search.visible)(record)
}
