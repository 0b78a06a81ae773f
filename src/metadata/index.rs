//! The index of a partition: one ordered set of byte strings, the same for every provider.
//!
//! Each artifact has several entries. An entry is the name of a *list*, then the *position* of the artifact
//! in it: what the list is ordered by, then the artifact's id. So a part of a list in its order is a range of
//! the set, and a provider needs no more than an ordered set that it can change together with a record.
//!
//! | list | its name | its order |
//! |---|---|---|
//! | all artifacts | `s` | when they were stored |
//! | all artifacts | `n` | name |
//! | all artifacts | `b` | size |
//! | a term: a value of metadata, a word, a session | `t`, hash | when they were stored |
//! | a term, or none, and a media type | `m`, hash, type, NUL | when they were stored |
//!
//! Terms are hashed to eight bytes, so a list may hold a few artifacts that do not belong to it: whoever
//! reads one looks at the records, which decide.

use std::collections::BTreeSet;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SessionId};
use crate::domain::scope::Scope;
use crate::domain::search::{MetaTerm, SortKey, terms_of, words_of};
use crate::domain::time::Timestamp;

/// One entry of an index.
pub type Entry = Vec<u8>;

/// Entries from the start of the range up to, not including, its end.
pub type EntryRange = Range<Entry>;

const ID_BYTES: usize = 16;
/// Ends what has no fixed length. Neither names nor media types contain it, and it sorts before all else.
const END: u8 = 0;

/// Everything under which `artifact` is found.
pub fn entries_of(artifact: &Artifact) -> BTreeSet<Entry> {
    let stored = position(artifact, SortKey::StoredAt);
    let mime = artifact.description.mime.essence();
    let mut entries = BTreeSet::from([
        List::all(SortKey::StoredAt).entry(&stored),
        List::all(SortKey::Filename).entry(&position(artifact, SortKey::Filename)),
        List::all(SortKey::Bytes).entry(&position(artifact, SortKey::Bytes)),
        List::of_type(Term::NONE, &mime).entry(&stored),
    ]);
    for term in terms_of(&artifact.description.meta) {
        let term = Term::meta(&term);
        entries.insert(List::of(term).entry(&stored));
        entries.insert(List::of_type(term, &mime).entry(&stored));
    }
    entries.extend(words_of(artifact).iter().map(|word| List::of(Term::word(word)).entry(&stored)));
    // All in a session's own partition are of one session.
    if let Some(session) = &artifact.session
        && artifact.partition.scope() != Scope::Session
    {
        entries.insert(List::of(Term::session(&session.id)).entry(&stored));
    }
    entries
}

/// The position of an artifact in lists that are ordered by `key`.
pub(super) fn position(artifact: &Artifact, key: SortKey) -> Vec<u8> {
    let mut position = match key {
        SortKey::StoredAt => at(artifact.stored_at),
        SortKey::Filename => {
            let name = artifact.description.filename.as_ref().map_or("", |name| name.as_str());
            [name.as_bytes(), &[END]].concat()
        }
        SortKey::Bytes => size(artifact.content.bytes),
    };
    position.extend_from_slice(artifact.id.as_bytes());
    position
}

/// The beginning of the positions of what was stored at `instant`.
pub(super) fn at(instant: Timestamp) -> Vec<u8> {
    instant.as_millis().to_be_bytes().to_vec()
}

/// The beginning of the positions of what has `bytes` bytes.
pub(super) fn size(bytes: u64) -> Vec<u8> {
    bytes.to_be_bytes().to_vec()
}

/// The id at the end of an entry or position.
pub(super) fn id_of(entry: &[u8]) -> Option<ArtifactId> {
    entry.last_chunk::<ID_BYTES>().map(|bytes| ArtifactId::from_bytes(*bytes))
}

/// What some artifacts have in common: a hash of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term([u8; 8]);

impl Term {
    /// What all have in common.
    pub(super) const NONE: Self = Self([0; 8]);

    pub(super) fn meta(term: &MetaTerm) -> Self {
        Self::hash(&["meta", &term.path, &term.value])
    }

    pub(super) fn word(word: &str) -> Self {
        Self::hash(&["word", word])
    }

    pub(super) fn session(session: &SessionId) -> Self {
        Self::hash(&["session", session.as_str()])
    }

    fn hash(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// The entries that begin with one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List(Vec<u8>);

impl List {
    /// All artifacts, in this order.
    pub(super) fn all(key: SortKey) -> Self {
        Self(match key {
            SortKey::StoredAt => b"s".to_vec(),
            SortKey::Filename => b"n".to_vec(),
            SortKey::Bytes => b"b".to_vec(),
        })
    }

    /// Those that have `term` in common, as they were stored.
    pub(super) fn of(term: Term) -> Self {
        Self([b"t", term.0.as_slice()].concat())
    }

    /// Those that have `term` in common and this media type, as they were stored.
    pub(super) fn of_type(term: Term, mime: &str) -> Self {
        Self([b"m", term.0.as_slice(), mime.as_bytes(), &[END]].concat())
    }

    /// Those that have `term` in common and a media type that starts with `prefix`: many lists in one,
    /// hence in no useful order.
    pub(super) fn of_types(term: Term, prefix: &str) -> Self {
        Self([b"m", term.0.as_slice(), prefix.as_bytes()].concat())
    }

    /// The entry at a position.
    pub(super) fn entry(&self, position: &[u8]) -> Entry {
        [&self.0, position].concat()
    }

    /// The position of one of the list's entries.
    pub(super) fn position_of<'e>(&self, entry: &'e [u8]) -> &'e [u8] {
        entry.get(self.0.len()..).unwrap_or_default()
    }

    /// The entries whose position is in `positions`; an end of `None` is that of the list.
    pub(super) fn range(&self, positions: &Positions) -> EntryRange {
        let end = positions.to.as_ref().map_or_else(|| after_prefix(&self.0), |to| self.entry(to));
        self.entry(&positions.from)..end
    }

    /// The entries of all positions.
    pub(super) fn whole(&self) -> EntryRange {
        self.range(&Positions::default())
    }
}

/// The media type in an entry of a list of a term and a type.
pub(super) fn type_of(entry: &[u8]) -> Option<&str> {
    let rest = entry.get(1 + Term::NONE.0.len()..)?;
    std::str::from_utf8(rest.split(|byte| *byte == END).next()?).ok()
}

/// A part of a list: the positions from `from` up to, not including, `to`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Positions {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
}

impl Positions {
    /// Those that begin with `prefix`.
    pub(super) fn beginning_with(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), to: (!prefix.is_empty()).then(|| after_prefix(prefix)) }
    }

    /// Those of these that come at or behind `from`.
    pub(super) fn starting(mut self, from: Vec<u8>) -> Self {
        self.from = self.from.max(from);
        self
    }

    /// Whether `position` is one of these.
    pub(super) fn contains(&self, position: &[u8]) -> bool {
        position >= self.from.as_slice() && self.to.as_ref().is_none_or(|to| position < to.as_slice())
    }

    /// Those of these that come before `to`.
    pub(super) fn ending(mut self, to: Vec<u8>) -> Self {
        self.to = Some(self.to.map_or(to.clone(), |end| end.min(to)));
        self
    }
}

/// The first text behind all that begin with `prefix`.
pub(super) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Nothing comes behind all that begin with 0xff…: neither tags nor UTF-8 do.
    vec![u8::MAX; prefix.len() + 1]
}

/// The first text behind `text` itself.
pub(super) fn just_after(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::artifact::SessionUse;
    use crate::domain::scope::Partition;
    use crate::metadata::contract::{artifact, at as instant};

    fn described() -> Artifact {
        let mut artifact = artifact(1);
        artifact.content.bytes = 258;
        artifact.description.filename = Some("a.txt".parse().unwrap());
        artifact.description.mime = "Text/Plain; charset=utf-8".parse().unwrap();
        artifact.description.summary = "One".parse().unwrap();
        artifact.description.meta = json!({"n": {"m": 1}, "list": [[1]], "null": null}).try_into().unwrap();
        artifact.session = Some(SessionUse { id: "chat".parse().unwrap(), began: instant(0) });
        artifact
    }

    /// Entries are kept: with another form, those of older records would neither be found nor removed.
    #[test]
    fn the_form_of_entries_is_that_of_earlier_versions() {
        let artifact = described();
        let id = artifact.id.as_bytes().as_slice();
        let stored = [1_767_225_600_001_i64.to_be_bytes().as_slice(), id].concat();
        let [meta, one, a, txt] =
            [0xdf59_609e_aaa0_3540, 0xc78f_d433_ce22_648b, 0x7ffd_7b63_d93f_7f99, 0x323e_9c66_db56_3a64]
                .map(u64::to_be_bytes);
        let entry = |parts: &[&[u8]]| parts.concat();
        let expected = BTreeSet::from([
            entry(&[b"s", &stored]),
            entry(&[b"na.txt\0", id]),
            entry(&[b"b\0\0\0\0\0\0\x01\x02", id]),
            entry(&[b"m\0\0\0\0\0\0\0\0text/plain\0", &stored]),
            entry(&[b"m", &meta, b"text/plain\0", &stored]),
            entry(&[b"t", &meta, &stored]),
            entry(&[b"t", &one, &stored]),
            entry(&[b"t", &a, &stored]),
            entry(&[b"t", &txt, &stored]),
        ]);
        assert_eq!(entries_of(&artifact), expected);
    }

    #[test]
    fn a_session_is_a_list_only_where_there_can_be_others() {
        let in_session = described();
        let sandbox = in_session.partition.sandbox().clone();
        let partition = Partition::User { sandbox, user: "alice".parse().unwrap() };
        let of_user = Artifact { partition, ..in_session.clone() };
        let more: Vec<Entry> = entries_of(&of_user).difference(&entries_of(&in_session)).cloned().collect();
        let list = List::of(Term::session(&"chat".parse().unwrap()));
        assert_eq!(more, [list.entry(&position(&of_user, SortKey::StoredAt))]);
    }

    #[test]
    fn positions_are_in_the_order_of_what_they_stand_for() {
        let mut artifact = described();
        let mut assert_rises = |key, changes: &[&dyn Fn(&mut Artifact)]| {
            let positions = changes.iter().map(|change| {
                change(&mut artifact);
                let position = position(&artifact, key);
                assert_eq!(id_of(&position), Some(artifact.id));
                position
            });
            assert!(positions.collect::<Vec<_>>().is_sorted_by(|a, b| a < b && !b.starts_with(a)));
        };
        let named =
            |name: &'static str| move |artifact: &mut Artifact| artifact.description.filename = name.parse().ok();
        assert_rises(
            SortKey::Filename,
            &[&named(""), &named("a"), &named("a b"), &named("a/b"), &named("aa"), &named("é")],
        );
        let sized = |bytes| move |artifact: &mut Artifact| artifact.content.bytes = bytes;
        assert_rises(SortKey::Bytes, &[&sized(0), &sized(255), &sized(256), &sized(5 << 40)]);
        let stored = |millis| move |artifact: &mut Artifact| artifact.stored_at = instant(millis);
        assert_rises(SortKey::StoredAt, &[&stored(0), &stored(255), &stored(256), &stored(1 << 40)]);
    }

    #[test]
    fn a_range_holds_its_list_and_nothing_else() {
        let (term, other) = (Term::word("one"), Term::word("two"));
        let lists = [
            List::all(SortKey::StoredAt),
            List::all(SortKey::Filename),
            List::all(SortKey::Bytes),
            List::of(term),
            List::of(other),
            List::of_type(term, "text/plain"),
            List::of_type(term, "text/plainer"),
            List::of_type(other, "text/plain"),
            List::of_type(Term::NONE, "text/plain"),
        ];
        for list in &lists {
            for position in [&[0; 24][..], &[0xff; 24]] {
                let entry = list.entry(position);
                assert_eq!(list.position_of(&entry), position);
                let holding: Vec<&List> = lists.iter().filter(|list| list.whole().contains(&entry)).collect();
                assert_eq!(holding, [list]);
            }
        }
        let types = List::of_types(term, "text/plain").whole();
        let among_types = lists.iter().map(|list| types.contains(&list.entry(&[0xff; 24])));
        assert_eq!(among_types.filter(|is_in| *is_in).count(), 2);
    }

    #[test]
    fn an_entry_tells_its_media_type() {
        let entry = List::of_type(Term::word("one"), "text/plain").entry(&[0; 24]);
        assert_eq!(type_of(&entry), Some("text/plain"));
        assert_eq!(type_of(b"m"), None);
    }

    #[test]
    fn different_things_are_different_terms() {
        let meta = |path: &str, value: &str| Term::meta(&MetaTerm { path: path.to_owned(), value: value.to_owned() });
        let terms = [
            meta("a", "bc"),
            meta("ab", "c"),
            meta("", "abc"),
            Term::word("abc"),
            Term::session(&"abc".parse().unwrap()),
            Term::NONE,
        ];
        for (number, term) in terms.iter().enumerate() {
            assert!(!terms[..number].contains(term));
        }
    }

    #[test]
    fn what_comes_after_a_prefix_is_behind_all_that_begin_with_it() {
        for (prefix, after) in
            [(&b"a"[..], &b"b"[..]), (b"a\xff", b"b"), (b"\xff\xff", b"\xff\xff\xff"), (b"a\0", b"a\x01")]
        {
            assert_eq!(after_prefix(prefix), after);
        }
        assert_eq!(just_after(b"a"), b"a\0");
    }
}
