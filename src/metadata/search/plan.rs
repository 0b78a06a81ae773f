//! Which lists of a partition's index to walk for a search.

use super::walk::{Candidate, Part, Stream};
use super::{MAX_BATCH, MAX_CANDIDATES, Position, Search, is_wanted};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::{Partition, Scope};
use crate::domain::search::{Filter, SortKey};
use crate::fault::Fault;
use crate::metadata::index::{
    EntryRange, List, Positions, Term, after_prefix, at, id_of, just_after, position, size, type_of,
};
use crate::metadata::{MetadataStore, Scan};

/// How many lists of media types are walked side by side.
const MAX_TYPES: usize = 64;

/// How many choices are compared: more of them would only take longer.
const MAX_CHOICES: usize = 16;

/// Decides for one partition.
pub(super) struct Planner<'a> {
    pub(super) store: &'a dyn MetadataStore,
    pub(super) search: &'a Search<'a>,
    pub(super) partition: &'a Partition,
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
    /// What to walk.
    pub(super) async fn part(self) -> Result<Part<'a>, Fault> {
        for (choice, count) in self.choices_by_cost().await? {
            if let Some(streams) = self.streams_of(choice, count).await? {
                return Ok(Part { partition: self.partition, streams });
            }
        }
        // Nothing is cheaper than to look at everything.
        let streams = vec![self.stream(List::all(self.search.order.by))];
        Ok(Part { partition: self.partition, streams })
    }

    /// How to walk this choice, which has `count` entries; `None` when that is too much.
    async fn streams_of(&self, choice: Choice, count: usize) -> Result<Option<Vec<Stream<'a>>>, Fault> {
        match choice.way {
            Way::Walk(list) => return Ok(Some(vec![self.stream(list)])),
            Way::WalkTypes(term) => {
                if let Some(lists) = self.lists_of_types(term, &choice.range).await? {
                    return Ok(Some(lists.into_iter().map(|list| self.stream(list)).collect()));
                }
            }
            Way::Sort => {}
        }
        if count > MAX_CANDIDATES { Ok(None) } else { self.sorted(choice.range).await }
    }

    /// What is cheaper than to look at everything, the cheapest first, with the number of its entries. Numbers
    /// above [`MAX_CANDIDATES`] are all the same.
    async fn choices_by_cost(&self) -> Result<Vec<(Choice, usize)>, Fault> {
        let choices = self.choices();
        if choices.is_empty() {
            return Ok(Vec::new());
        }
        let everything = List::all(self.search.order.by).range(&self.positions_left());
        let ranges: Vec<EntryRange> = choices.iter().map(|choice| choice.range.clone()).chain([everything]).collect();
        let counts = self.store.count(self.partition, &ranges, MAX_CANDIDATES + 1).await?;
        // No more than these can match, in whatever way they are found.
        let fewest = counts.iter().copied().min().unwrap_or_default().max(1);
        let cost_of_walking = |count: usize| match count {
            0..=MAX_CANDIDATES => (self.search.limit.saturating_mul(count) / fewest).min(count),
            _ => usize::MAX,
        };
        let cost = |way: &Way, count: usize| match way {
            Way::Walk(_) | Way::WalkTypes(_) => cost_of_walking(count),
            Way::Sort => count,
        };
        let most = counts.last().map_or(usize::MAX, |count| cost_of_walking(*count));
        let mut choices: Vec<(Choice, usize)> = choices.into_iter().zip(counts).collect();
        choices.retain(|(choice, count)| cost(&choice.way, *count) <= most);
        choices.sort_by_key(|(choice, count)| cost(&choice.way, *count));
        Ok(choices)
    }

    /// What the filter allows to choose from. The best comes first, for when none is small.
    fn choices(&self) -> Vec<Choice> {
        let Filter { session, mime_prefix, filename_prefix, meta, words, stored_after, stored_before, .. } =
            self.search.filter;
        let order = self.search.order.by;
        let meta: Vec<Term> = meta.iter().map(Term::meta).collect();
        let words = words.iter().map(|word| Term::word(word));
        let session = session.as_ref().filter(|_| self.partition.scope() != Scope::Session).map(Term::session);
        let mut choices = Vec::new();
        if let Some(prefix) = mime_prefix {
            choices.extend(meta.iter().map(|term| self.choice_of_types(*term, prefix.as_str())));
        }
        let terms = meta.into_iter().chain(words).chain(session);
        choices.extend(terms.map(|term| self.choice_of(List::of(term), SortKey::StoredAt)));
        choices.truncate(MAX_CHOICES);
        if let Some(prefix) = mime_prefix {
            choices.push(self.choice_of_types(Term::NONE, prefix.as_str()));
        }
        let bounded = [
            (SortKey::StoredAt, stored_after.or(*stored_before).is_some()),
            (SortKey::Filename, filename_prefix.is_some()),
            (SortKey::Bytes, self.search.filter.min_bytes.or(self.search.filter.max_bytes).is_some()),
        ];
        let bounded = bounded.into_iter().filter(|(key, is_bounded)| *is_bounded && *key != order);
        choices.extend(bounded.map(|(key, _)| self.choice_of(List::all(key), key)));
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
        Stream::of(list, self.positions_left())
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

    /// What is searched for of everything in `range`, sorted; `None` when that has grown meanwhile.
    async fn sorted(&self, range: EntryRange) -> Result<Option<Vec<Stream<'a>>>, Fault> {
        let scan = Scan { range, descending: false, limit: MAX_CANDIDATES + 1 };
        let entries = self.store.scan(self.partition, &[scan]).await?;
        let mut ids: Vec<ArtifactId> = entries.iter().flatten().filter_map(|entry| id_of(entry)).collect();
        if ids.len() > MAX_CANDIDATES {
            return Ok(None);
        }
        ids.sort_unstable();
        ids.dedup();
        let left = self.positions_left();
        let mut candidates = Vec::new();
        for ids in ids.chunks(MAX_BATCH) {
            // Those of the page are read again: to keep them all would take too much memory.
            let records = self.store.artifacts(ids).await?;
            candidates.extend(records.iter().flatten().filter_map(|record| self.candidate(record, &left)));
        }
        candidates.sort_unstable_by(|a, b| {
            let ascending = a.position.cmp(&b.position);
            if self.search.order.descending { ascending.reverse() } else { ascending }
        });
        // A page, and one more to know that it is not the last.
        candidates.truncate(self.search.limit.saturating_add(1));
        Ok(Some(vec![Stream::ready(candidates)]))
    }

    fn candidate(&self, record: &Artifact, left: &Positions) -> Option<Candidate<'a>> {
        let position = position(record, self.search.order.by);
        let is_candidate = left.contains(&position) && is_wanted(record, self.partition, self.search, &position);
        is_candidate.then_some(Candidate { position, id: record.id, partition: self.partition })
    }
}
