//! Walking several lists of several indexes as if they were one.

use std::collections::VecDeque;

use futures::future::try_join_all;

use super::MIN_BATCH;
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::Partition;
use crate::fault::Fault;
use crate::metadata::index::{Entry, List, Positions, id_of, just_after};
use crate::metadata::{MetadataStore, Scan};

/// What may belong to a page.
pub(super) struct Candidate<'a> {
    pub(super) position: Vec<u8>,
    pub(super) id: ArtifactId,
    pub(super) partition: &'a Partition,
}

/// What to walk of one partition.
pub(super) struct Part<'a> {
    pub(super) partition: &'a Partition,
    pub(super) streams: Vec<Stream<'a>>,
}

/// Candidates in their order.
#[derive(Default)]
pub(super) struct Stream<'a> {
    ahead: VecDeque<Candidate<'a>>,
    /// What was not read yet.
    rest: Option<(List, Positions)>,
}

impl<'a> Stream<'a> {
    /// Those in a part of a list, to be read piece by piece.
    pub(super) fn of(list: List, positions: Positions) -> Self {
        Self { ahead: VecDeque::new(), rest: Some((list, positions)) }
    }

    /// These, which are in order.
    pub(super) fn ready(candidates: Vec<Candidate<'a>>) -> Self {
        Self { ahead: candidates.into(), rest: None }
    }

    fn is_unknown(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_some()
    }

    fn first(&self) -> Option<&[u8]> {
        self.ahead.front().map(|candidate| candidate.position.as_slice())
    }

    fn next_scan(&self, descending: bool, limit: usize) -> Option<Scan> {
        let (list, left) = self.rest.as_ref()?;
        Some(Scan { range: list.range(left), descending, limit })
    }

    /// Takes what `scan` has found.
    fn extend(&mut self, partition: &'a Partition, scan: &Scan, entries: &[Entry]) {
        let Some((list, left)) = &mut self.rest else { return };
        let positions = entries.iter().map(|entry| list.position_of(entry));
        let candidate = |position: &[u8]| {
            let id = id_of(position)?;
            Some(Candidate { position: position.to_vec(), id, partition })
        };
        self.ahead.extend(positions.filter_map(candidate));
        match entries.last().map(|entry| list.position_of(entry)) {
            Some(last) if entries.len() == scan.limit => {
                let all = std::mem::take(left);
                *left = if scan.descending { all.ending(last.to_vec()) } else { all.starting(just_after(last)) };
            }
            _ => self.rest = None,
        }
    }
}

/// Several streams as one.
pub(super) struct Walk<'a> {
    store: &'a dyn MetadataStore,
    descending: bool,
    parts: Vec<Part<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a dyn MetadataStore, descending: bool, parts: Vec<Part<'a>>) -> Self {
        Self { store, descending, parts }
    }

    /// The next candidates, at most `count`, with their records; fewer when there are no more.
    pub(super) async fn next(&mut self, count: usize) -> Result<Vec<(Candidate<'a>, Option<Artifact>)>, Fault> {
        let mut candidates = Vec::new();
        while candidates.len() < count {
            self.read_ahead(count - candidates.len()).await?;
            let Some(first) = self.first() else { break };
            candidates.push(first);
        }
        let ids: Vec<ArtifactId> = candidates.iter().map(|candidate| candidate.id).collect();
        let records = self.store.artifacts(&ids).await?;
        Ok(candidates.into_iter().zip(records).collect())
    }

    /// Whether there are no more candidates, as far as is known without looking.
    pub(super) fn is_over(&self) -> bool {
        self.parts.iter().flat_map(|part| &part.streams).all(|stream| stream.ahead.is_empty() && stream.rest.is_none())
    }

    /// Sees to it that the first of each stream is known.
    async fn read_ahead(&mut self, count: usize) -> Result<(), Fault> {
        let streams: usize = self.parts.iter().map(|part| part.streams.len()).sum();
        // One more than asked for, to know whether a page is the last.
        let limit = (count + 1).div_ceil(streams.max(1)).max(MIN_BATCH.min(count + 1));
        let (store, descending) = (self.store, self.descending);
        try_join_all(self.parts.iter_mut().map(|part| part.read_ahead(store, descending, limit))).await?;
        Ok(())
    }

    fn first(&mut self) -> Option<Candidate<'a>> {
        let streams = self.parts.iter_mut().flat_map(|part| &mut part.streams);
        let known = streams.filter(|stream| !stream.ahead.is_empty());
        let next = if self.descending {
            known.max_by(|a, b| a.first().cmp(&b.first()))
        } else {
            known.min_by(|a, b| a.first().cmp(&b.first()))
        };
        next?.ahead.pop_front()
    }
}

impl Part<'_> {
    /// Sees to it that the first of each stream is known, reading at most `limit` of each.
    async fn read_ahead(&mut self, store: &dyn MetadataStore, descending: bool, limit: usize) -> Result<(), Fault> {
        let mut unknown: Vec<_> = self.streams.iter_mut().filter(|stream| stream.is_unknown()).collect();
        let scans: Vec<Scan> = unknown.iter().filter_map(|stream| stream.next_scan(descending, limit)).collect();
        if scans.is_empty() {
            return Ok(());
        }
        let found = store.scan(self.partition, &scans).await?;
        for ((stream, scan), entries) in unknown.iter_mut().zip(&scans).zip(found) {
            stream.extend(self.partition, scan, &entries);
        }
        Ok(())
    }
}
