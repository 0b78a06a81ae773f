use std::collections::BTreeSet;

use serde_json::json;

use super::artifacts::count_up;
use super::*;
use crate::metadata::{Entry, EntryRange, Scan, entries_of};

pub(super) async fn entries_come_change_and_go_with_their_record(store: Store) {
    let bare = artifact(1);
    let named = Artifact { version: 2, ..full_artifact(1) };
    let mut renamed = Artifact { version: 3, ..named.clone() };
    renamed.description.filename = Some("docs/other.txt".parse().unwrap());
    let mut retyped = Artifact { version: 4, ..renamed.clone() };
    retyped.description.mime = "image/png".parse().unwrap();
    let mut tagged = Artifact { version: 5, ..retyped.clone() };
    tagged.description.meta = meta_of(json!({"n": -7, "more": {"x": true}}));
    let mut described = Artifact { version: 6, ..tagged.clone() };
    described.description.summary = "three more lines".parse().unwrap();
    let mut grown = Artifact { version: 7, ..described.clone() };
    grown.content.bytes = 255;

    store.insert_artifact(&bare).await.unwrap();
    assert_indexed(&store, &[&bare]).await;
    let mut current = bare;
    for next in [named, renamed, retyped, tagged, described, grown, Artifact { version: 8, ..artifact(1) }] {
        assert_eq!(store.replace_artifact(&current, &next, None).await.unwrap(), Replaced::Done);
        assert_indexed(&store, &[&next]).await;
        current = next;
    }
    // Nothing that it shares with another goes with it.
    let other = full_artifact(2);
    store.insert_artifact(&other).await.unwrap();
    let alike = Artifact { version: 9, ..full_artifact(1) };
    assert_eq!(store.replace_artifact(&current, &alike, None).await.unwrap(), Replaced::Done);
    assert_indexed(&store, &[&alike, &other]).await;
    assert_eq!(store.delete_artifact(&alike, &garbage(1, at(0))).await.unwrap(), Replaced::Done);
    assert_indexed(&store, &[&other]).await;
    assert_eq!(store.delete_artifact(&other, &garbage(2, at(0))).await.unwrap(), Replaced::Done);
    assert_indexed(&store, &[]).await;
}

pub(super) async fn a_refused_change_leaves_the_index_alone(store: Store) {
    let current = Artifact { version: 5, ..full_artifact(1) };
    let other = artifact(1);
    let _ = store.replace_artifact(&current, &other, None).await.unwrap();
    let _ = store.delete_artifact(&current, &garbage(1, at(0))).await.unwrap();
    assert_indexed(&store, &[]).await;

    assert!(store.insert_artifact(&current).await.unwrap());
    assert!(!store.insert_artifact(&other).await.unwrap());
    assert_eq!(
        store.replace_artifact(&other, &Artifact { version: 2, ..other.clone() }, None).await.unwrap(),
        Replaced::Stale
    );
    assert_eq!(store.delete_artifact(&other, &garbage(1, at(0))).await.unwrap(), Replaced::Stale);
    assert_indexed(&store, &[&current]).await;
}

/// What is removed with a record is computed from what was read of it.
pub(super) async fn a_record_has_the_same_entries_when_it_is_read_back(store: Store) {
    let mut written = artifact(1);
    written.description.meta = meta_of(json!({
        "floats": {"a": 1e300, "b": -0.0, "c": 0.1, "d": 5e-324, "e": 1.0, "f": 123_456_789.123_456_79},
        "integers": {"a": u64::MAX, "b": i64::MIN, "c": (1_u64 << 53) + 1, "d": -0},
        "texts": {"a": "\u{0}\n", "b": "e\u{301}", "": "", "c.d": "x"},
    }));
    store.insert_artifact(&written).await.unwrap();
    let read = store.artifact(id(1)).await.unwrap().unwrap();
    assert_eq!(entries_of(&read), entries_of(&written));
    assert_eq!(store.delete_artifact(&read, &garbage(1, at(0))).await.unwrap(), Replaced::Done);
    assert_indexed(&store, &[]).await;
}

pub(super) async fn concurrent_changes_leave_the_entries_of_the_last(store: Store) {
    store.insert_artifact(&artifact(1)).await.unwrap();
    let increments = (0..20).map(|_| tokio::spawn(count_up(Arc::clone(&store))));
    for increment in futures::future::join_all(increments).await {
        increment.unwrap();
    }
    let last = store.artifact(id(1)).await.unwrap().unwrap();
    assert_indexed(&store, &[&last]).await;
}

pub(super) async fn a_scan_gives_its_range_in_either_direction_up_to_its_limit(store: Store) {
    let index = filled(&store).await;
    for range in ranges(&index) {
        let scan = |(limit, descending)| Scan { range: range.clone(), descending, limit };
        let scans = [(0, false), (1, false), (1, true), (3, false), (3, true), (1_000, false), (1_000, true)].map(scan);
        let found = store.scan(&partition(), &scans).await.unwrap();
        assert_eq!(found, scans.each_ref().map(|scan| naive_scan(&index, scan)), "{range:?}");
    }
}

pub(super) async fn scans_are_answered_in_their_order(store: Store) {
    let index = filled(&store).await;
    let scans: Vec<Scan> = (0..)
        .zip(ranges(&index).into_iter().step_by(7).take(40))
        .map(|(number, range)| Scan { range, descending: number % 2 == 0, limit: number })
        .collect();
    let expected: Vec<Vec<Entry>> = scans.iter().map(|scan| naive_scan(&index, scan)).collect();
    assert_eq!(store.scan(&partition(), &scans).await.unwrap(), expected);
    assert_eq!(store.scan(&partition(), &[]).await.unwrap(), Vec::<Vec<Entry>>::new());
}

pub(super) async fn a_count_stops_when_there_is_enough(store: Store) {
    let index = filled(&store).await;
    let ranges = ranges(&index);
    for at_most in [0, 1, 3, 1_000] {
        let expected: Vec<usize> = ranges.iter().map(|range| within(&index, range).take(at_most).count()).collect();
        assert_eq!(store.count(&partition(), &ranges, at_most).await.unwrap(), expected);
    }
    assert_eq!(store.count(&partition(), &[], 10).await.unwrap(), [0; 0]);
}

pub(super) async fn no_partition_shows_what_belongs_to_another(store: Store) {
    let of_name = |name| [in_session("app", name), in_session(name, "s"), of_user("app", name), shared(name)];
    let partitions: Vec<Partition> = ODD_NAMES.into_iter().flat_map(of_name).collect();
    for (number, partition) in (1..).zip(&partitions) {
        assert!(store.insert_artifact(&artifact_in(partition, number)).await.unwrap());
    }
    for (number, partition) in (1..).zip(&partitions) {
        let artifact = artifact_in(partition, number);
        let entries: Vec<Entry> = entries_of(&artifact).into_iter().collect();
        assert_eq!(entries_in(&store, partition).await, entries, "{partition}");
        assert_eq!(store.count(partition, &[everything()], 100).await.unwrap(), [entries.len()], "{partition}");
        assert_eq!(listed(&store, partition).await, [artifact], "{partition}");
    }
}

pub(super) async fn an_empty_partition_has_no_entries(store: Store) {
    let scan = Scan { range: everything(), descending: false, limit: 10 };
    assert_eq!(store.scan(&partition(), &[scan.clone(), scan]).await.unwrap(), vec![Vec::<Entry>::new(); 2]);
    assert_eq!(store.count(&partition(), &[everything(), everything()], 10).await.unwrap(), [0, 0]);
    assert_eq!(listed(&store, &partition()).await, []);
}

/// What is in all indexes: entries begin with a letter.
fn everything() -> EntryRange {
    vec![]..vec![u8::MAX]
}

async fn entries_in(store: &Store, partition: &Partition) -> Vec<Entry> {
    let scan = Scan { range: everything(), descending: false, limit: 1_000 };
    store.scan(partition, &[scan]).await.unwrap().remove(0)
}

/// Fails unless the index has the entries of these artifacts and no others.
#[track_caller]
fn assert_indexed<'a>(store: &'a Store, artifacts: &'a [&Artifact]) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let expected: BTreeSet<Entry> = artifacts.iter().flat_map(|artifact| entries_of(artifact)).collect();
        let expected: Vec<Entry> = expected.into_iter().collect();
        assert_eq!(entries_in(store, &partition()).await, expected, "at {caller}");
    }
}

/// Puts some artifacts into the store; gives their entries.
async fn filled(store: &Store) -> BTreeSet<Entry> {
    let mut artifacts = vec![full_artifact(1), full_artifact(0xff)];
    for (number, bytes) in (2..).zip([0, 1, 0xff, 0x100, 0xffff, MAX_BYTES]) {
        let mut artifact = artifact(number);
        artifact.content.bytes = bytes;
        artifact.description.filename = Some(format!("{bytes:x}[(-+\\\"'\u{ff}{{*").parse().unwrap());
        artifacts.push(artifact);
    }
    for artifact in &artifacts {
        assert!(store.insert_artifact(artifact).await.unwrap());
    }
    artifacts.iter().flat_map(entries_of).collect()
}

/// Ranges of all kinds: between entries, their beginnings and their neighbours, forwards and backwards.
fn ranges(index: &BTreeSet<Entry>) -> Vec<EntryRange> {
    let odd = [&b""[..], b"\0", b"\xff", b"\xff\xff", b"-", b"+", b"(", b"[", b"s\0", b"s\xff", b"\r\n", b"n", b"o"];
    let mut bounds: Vec<Entry> = odd.into_iter().map(<[u8]>::to_vec).collect();
    for entry in index.iter().step_by(9) {
        bounds.push(entry.clone());
        bounds.push(entry[..entry.len() / 2].to_vec());
        for neighbour in [0, u8::MAX] {
            bounds.push([entry.as_slice(), &[neighbour]].concat());
        }
    }
    let pairs = bounds.iter().flat_map(|start| bounds.iter().map(move |end| start.clone()..end.clone()));
    pairs.step_by(3).collect()
}

fn within<'a>(index: &'a BTreeSet<Entry>, range: &'a EntryRange) -> impl DoubleEndedIterator<Item = &'a Entry> {
    index.iter().filter(|entry| range.contains(*entry))
}

fn naive_scan(index: &BTreeSet<Entry>, scan: &Scan) -> Vec<Entry> {
    let found = within(index, &scan.range).cloned();
    if scan.descending { found.rev().take(scan.limit).collect() } else { found.take(scan.limit).collect() }
}
