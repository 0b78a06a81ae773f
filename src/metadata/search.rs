//! Searching, once for all providers: candidates come from the index, the records decide.
//!
//! A page is made by walking lists of the index in the order asked for, looking at the record of each
//! candidate. What the filter says decides which lists: the shortest that holds everything it wants. When
//! that is short but in another order, it is read whole and sorted.
//!
//! However little of it matches, a search looks at no more than [`MAX_CANDIDATES`] records of each partition
//! for a page; the page then ends early, and the next one goes on from there.

use std::collections::VecDeque;

use futures::future::try_join_all;

use super::index::{EntryRange, List, Positions, Term, after_prefix, at, id_of, just_after, position, size, type_of};
use super::{MetadataStore, Scan};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::{Partition, Scope};
use crate::domain::search::{Filter, Order, SortKey};
use crate::fault::Fault;

/// How many candidates are looked at for a page.
pub const MAX_CANDIDATES: usize = 2_000;

/// How many lists of media types are walked side by side.
const MAX_TYPES: usize = 64;

/// The least that is read of a list at a time when there are several.
const MIN_CHUNK: usize = 16;

/// What to search.
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
        let streams = search.partitions.iter().map(|partition| Planner { store: self, search, partition }.streams());
        let streams = try_join_all(streams).await?.into_iter().flatten().collect();
        let mut walk = Walk { store: self, descending: search.order.descending, streams };
        let mut items = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        let mut looked_at = 0;
        let mut batch = search.limit;
        let mut page_is_over = search.limit == 0;
        while !page_is_over {
            let candidates = walk.next(batch.min(MAX_CANDIDATES - looked_at)).await?;
            if candidates.is_empty() {
                return Ok(Found { items, next: None });
            }
            looked_at += candidates.len();
            let mut candidates = candidates.into_iter();
            for Candidate { position, partition, record } in candidates.by_ref() {
                // One whose media type has just changed may be met in two lists.
                let is_new = last.as_ref() != Some(&position);
                let is_wanted = |record: &Artifact| is_wanted(record, partition, search, &position);
                if let Some(record) = record.filter(|record| is_new && is_wanted(record)) {
                    items.push(record);
                }
                last = Some(position);
                if items.len() == search.limit {
                    break;
                }
            }
            page_is_over = items.len() == search.limit || looked_at >= MAX_CANDIDATES;
            if page_is_over && candidates.len() == 0 && walk.is_over() {
                last = None;
            }
            // The less of it matches, the more is looked at together.
            batch = batch.saturating_mul(2);
        }
        Ok(Found { items, next: last.map(Position) })
    }
}

/// The entry may be older than the record, and lists may hold what does not belong to them.
fn is_wanted(record: &Artifact, partition: &Partition, search: &Search<'_>, found_at: &[u8]) -> bool {
    record.partition == *partition
        && position(record, search.order.by) == found_at
        && search.filter.matches(record)
        && (search.visible)(record)
}

/// Decides which lists of a partition to walk.
struct Planner<'a> {
    store: &'a dyn MetadataStore,
    search: &'a Search<'a>,
    partition: &'a Partition,
}

/// Some entries that hold all that is searched for.
struct Choice {
    way: Way,
    range: EntryRange,
}

/// How to get the candidates of a choice in their order.
enum Way {
    /// They are in it.
    Walk(List),
    /// They are in it within each media type.
    WalkTypes(Term),
    /// By reading and sorting all.
    Sort,
}

impl<'a> Planner<'a> {
    async fn streams(self) -> Result<Vec<Stream<'a>>, Fault> {
        for (choice, count) in self.choices_by_size().await? {
            match choice.way {
                Way::Walk(list) => return Ok(vec![self.stream(list)]),
                Way::WalkTypes(term) => {
                    if let Some(lists) = self.lists_of_types(term, &choice.range).await? {
                        return Ok(lists.into_iter().map(|list| self.stream(list)).collect());
                    }
                }
                Way::Sort => {}
            }
            if count <= MAX_CANDIDATES {
                return Ok(vec![self.sorted(choice.range).await?]);
            }
        }
        Ok(vec![self.stream(List::all(self.search.order.by))])
    }

    /// What the filter allows to choose from, the smallest first. Sizes above [`MAX_CANDIDATES`] are all
    /// the same.
    async fn choices_by_size(&self) -> Result<Vec<(Choice, usize)>, Fault> {
        let choices = self.choices();
        if let [Choice { way: Way::Walk(_), .. }] | [] = choices[..] {
            return Ok(choices.into_iter().map(|choice| (choice, MAX_CANDIDATES + 1)).collect());
        }
        let ranges: Vec<EntryRange> = choices.iter().map(|choice| choice.range.clone()).collect();
        let counts = self.store.count(self.partition, &ranges, MAX_CANDIDATES + 1).await?;
        let mut choices: Vec<(Choice, usize)> = choices.into_iter().zip(counts).collect();
        choices.sort_by_key(|(_, count)| *count);
        Ok(choices)
    }

    /// The best comes first, for when none is small.
    fn choices(&self) -> Vec<Choice> {
        let Filter { session, mime_prefix, filename_prefix, meta, words, min_bytes, max_bytes, .. } =
            self.search.filter;
        let order = self.search.order.by;
        let meta: Vec<Term> = meta.iter().map(Term::meta).collect();
        let session = session.as_ref().filter(|_| self.partition.scope() != Scope::Session).map(Term::session);
        let mut choices = Vec::new();
        if let Some(prefix) = mime_prefix {
            choices.extend(meta.iter().map(|term| self.choice_of_types(*term, prefix.as_str())));
        }
        let terms = meta.into_iter().chain(words.iter().map(|word| Term::word(word))).chain(session);
        choices.extend(terms.map(|term| self.choice_of(List::of(term), SortKey::StoredAt)));
        if let Some(prefix) = mime_prefix {
            choices.push(self.choice_of_types(Term::NONE, prefix.as_str()));
        }
        for (key, is_bounded) in [
            (SortKey::StoredAt, self.search.filter.stored_after.or(self.search.filter.stored_before).is_some()),
            (SortKey::Filename, filename_prefix.is_some()),
            (SortKey::Bytes, min_bytes.or(*max_bytes).is_some()),
        ] {
            if is_bounded && key != order {
                choices.push(self.choice_of(List::all(key), key));
            }
        }
        choices
    }

    /// A list that is ordered by `key`.
    fn choice_of(&self, list: List, key: SortKey) -> Choice {
        if key == self.search.order.by {
            return Choice { range: list.range(&self.positions_left()), way: Way::Walk(list) };
        }
        Choice { way: Way::Sort, range: list.range(&self.bounds(key)) }
    }

    fn choice_of_types(&self, term: Term, prefix: &str) -> Choice {
        let way = if self.search.order.by == SortKey::StoredAt { Way::WalkTypes(term) } else { Way::Sort };
        Choice { way, range: List::of_types(term, prefix).whole() }
    }

    /// The positions that the filter leaves of a list with this order.
    fn bounds(&self, key: SortKey) -> Positions {
        let filter = self.search.filter;
        let mut bounds = Positions::default();
        match key {
            SortKey::StoredAt => {
                if let Some(after) = filter.stored_after {
                    bounds = bounds.starting(after_prefix(&at(after)));
                }
                if let Some(before) = filter.stored_before {
                    bounds = bounds.ending(at(before));
                }
            }
            SortKey::Filename => {
                if let Some(prefix) = &filter.filename_prefix {
                    bounds = Positions::beginning_with(prefix.as_bytes());
                }
            }
            SortKey::Bytes => {
                if let Some(min) = filter.min_bytes {
                    bounds = bounds.starting(size(min));
                }
                if let Some(max) = filter.max_bytes {
                    bounds = bounds.ending(after_prefix(&size(max)));
                }
            }
        }
        bounds
    }

    /// The positions that are left, in the order of the search, of what was not on earlier pages.
    fn positions_left(&self) -> Positions {
        let bounds = self.bounds(self.search.order.by);
        match self.search.after {
            None => bounds,
            Some(Position(after)) if self.search.order.descending => bounds.ending(after.clone()),
            Some(Position(after)) => bounds.starting(just_after(after)),
        }
    }

    fn stream(&self, list: List) -> Stream<'a> {
        Stream { partition: self.partition, rest: Some((list, self.positions_left())), ahead: VecDeque::new() }
    }

    /// The lists of the media types in `range`, unless there are too many. One look finds one type.
    async fn lists_of_types(&self, term: Term, range: &EntryRange) -> Result<Option<Vec<List>>, Fault> {
        let mut lists = Vec::new();
        let mut range = range.clone();
        loop {
            let scan = Scan { range: range.clone(), descending: false, limit: 1 };
            let found = self.store.scan(self.partition, &[scan]).await?;
            let Some(mime) = found.first().and_then(|entries| type_of(entries.first()?)) else {
                return Ok(Some(lists));
            };
            if lists.len() == MAX_TYPES {
                return Ok(None);
            }
            let list = List::of_type(term, mime);
            range.start = list.whole().end;
            lists.push(list);
        }
    }

    /// Everything in `range` that is searched for, in order.
    async fn sorted(&self, range: EntryRange) -> Result<Stream<'a>, Fault> {
        let scan = Scan { range, descending: false, limit: MAX_CANDIDATES };
        let entries = self.store.scan(self.partition, &[scan]).await?;
        let mut ids: Vec<ArtifactId> = entries.iter().flatten().filter_map(|entry| id_of(entry)).collect();
        ids.sort_unstable();
        ids.dedup();
        let left = self.positions_left();
        let is_left = |position: &Vec<u8>| *position >= left.from && left.to.as_ref().is_none_or(|to| position < to);
        let records = self.store.artifacts(&ids).await?.into_iter().flatten();
        let mut candidates: Vec<Candidate<'a>> = records
            .map(|record| (position(&record, self.search.order.by), record))
            .filter(|(position, record)| is_left(position) && is_wanted(record, self.partition, self.search, position))
            .map(|(position, record)| Candidate { position, partition: self.partition, record: Some(record) })
            .collect();
        candidates.sort_unstable_by(|a, b| a.position.cmp(&b.position));
        if self.search.order.descending {
            candidates.reverse();
        }
        Ok(Stream { partition: self.partition, rest: None, ahead: candidates.into() })
    }
}

/// What may belong to a page.
struct Candidate<'a> {
    position: Vec<u8>,
    partition: &'a Partition,
    /// Its record, once it was read.
    record: Option<Artifact>,
}

/// Candidates in their order, read from a list piece by piece.
struct Stream<'a> {
    partition: &'a Partition,
    /// What was not read yet.
    rest: Option<(List, Positions)>,
    ahead: VecDeque<Candidate<'a>>,
}

impl<'a> Stream<'a> {
    async fn read_ahead(&mut self, store: &dyn MetadataStore, count: usize, descending: bool) -> Result<(), Fault> {
        let Some((list, left)) = &mut self.rest else { return Ok(()) };
        let scan = Scan { range: list.range(left), descending, limit: count };
        let entries = store.scan(self.partition, &[scan]).await?.into_iter().next().unwrap_or_default();
        if let Some(last) = entries.last() {
            let last = list.position_of(last);
            let next = left.clone();
            *left = if descending { next.ending(last.to_vec()) } else { next.starting(just_after(last)) };
        }
        let candidates = entries.iter().map(|entry| Candidate {
            position: list.position_of(entry).to_vec(),
            partition: self.partition,
            record: None,
        });
        self.ahead.extend(candidates);
        if entries.len() < count {
            self.rest = None;
        }
        Ok(())
    }
}

/// Several streams as one.
struct Walk<'a> {
    store: &'a dyn MetadataStore,
    descending: bool,
    streams: Vec<Stream<'a>>,
}

impl<'a> Walk<'a> {
    /// The next candidates, at most `count`, with their records; none when there are no more.
    async fn next(&mut self, count: usize) -> Result<Vec<Candidate<'a>>, Fault> {
        let mut candidates = Vec::new();
        while candidates.len() < count {
            self.read_ahead(count - candidates.len()).await?;
            let Some(first) = self.first() else { break };
            candidates.push(first);
        }
        self.read_records(&mut candidates).await?;
        Ok(candidates)
    }

    /// Whether there are no more candidates, as far as is known without looking.
    fn is_over(&self) -> bool {
        self.streams.iter().all(|stream| stream.ahead.is_empty() && stream.rest.is_none())
    }

    /// Sees to it that the first of each stream is known.
    async fn read_ahead(&mut self, count: usize) -> Result<(), Fault> {
        // One more than asked for, to know whether a page is the last.
        let chunk = (count + 1).div_ceil(self.streams.len().max(1)).max(MIN_CHUNK.min(count + 1));
        let (store, descending) = (self.store, self.descending);
        let unknown = self.streams.iter_mut().filter(|stream| stream.ahead.is_empty() && stream.rest.is_some());
        try_join_all(unknown.map(|stream| stream.read_ahead(store, chunk, descending))).await?;
        Ok(())
    }

    fn first(&mut self) -> Option<Candidate<'a>> {
        let first_of = |stream: &Stream<'a>| stream.ahead.front().map(|candidate| candidate.position.clone());
        let firsts = self.streams.iter().enumerate().filter_map(|(index, stream)| Some((first_of(stream)?, index)));
        let (_, index) = if self.descending { firsts.max() } else { firsts.min() }?;
        self.streams.get_mut(index)?.ahead.pop_front()
    }

    async fn read_records(&self, candidates: &mut [Candidate<'a>]) -> Result<(), Fault> {
        let unread = || |candidate: &&mut Candidate<'a>| candidate.record.is_none();
        let ids: Vec<ArtifactId> =
            candidates.iter_mut().filter(unread()).filter_map(|candidate| id_of(&candidate.position)).collect();
        let records = self.store.artifacts(&ids).await?;
        for (candidate, record) in candidates.iter_mut().filter(unread()).zip(records) {
            candidate.record = record;
        }
        Ok(())
    }
}
