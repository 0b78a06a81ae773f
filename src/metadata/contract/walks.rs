use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::model::{both, expected, fill, filters, insert_all, orders, random, random_artifact};
use super::*;
use crate::domain::id::ArtifactId;
use crate::domain::search::Filter;
use crate::metadata::{Directory, Search};

pub(super) async fn a_search_misses_nothing_that_stays(store: Store) {
    let mut churn = Churn::begin(&store, 21).await;
    let images = Filter { mime_prefix: Some("image/".parse().unwrap()), ..Filter::default() };
    for (number, filter) in filters().iter().enumerate().step_by(3) {
        let filter = if number % 2 == 0 { filter.clone() } else { both(filter, &images) };
        let order = orders()[number % 6];
        let partitions = churn.partitions.clone();
        let all = Search { partitions: &partitions, filter: &filter, order, after: None, limit: 9, visible: &|_| true };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let search = Search { after: after.as_ref(), ..all };
            let (page, ()) = tokio::join!(store.search(&search), churn.go_on(&store));
            let page = page.unwrap();
            found.extend(ids(&page.items));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_met_once(&found, &expected(&churn.staying, &all));
    }
}

pub(super) async fn a_listing_misses_nothing_that_stays(store: Store) {
    let mut churn = Churn::begin(&store, 22).await;
    let partition = churn.partitions[0].clone();
    for _ in 0..10 {
        let all =
            Directory { partition: &partition, prefix: "", delimiter: None, after: None, limit: 9, visible: &|_| true };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let directory = Directory { after: after.as_ref(), ..all };
            let (page, ()) = tokio::join!(store.directory(&directory), churn.go_on(&store));
            let page = page.unwrap();
            found.extend(ids(&page.items));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let staying = churn.staying.iter().filter(|artifact| artifact.partition == partition);
        assert_met_once(&found, &staying.map(|artifact| artifact.id).collect::<Vec<_>>());
    }
}

/// Fails unless nothing was met twice and all of `staying` once.
#[track_caller]
fn assert_met_once(found: &[ArtifactId], staying: &[ArtifactId]) {
    let mut times = HashMap::new();
    for id in found {
        *times.entry(*id).or_insert(0) += 1;
    }
    assert!(times.values().all(|times| *times == 1));
    assert!(staying.iter().all(|id| times.contains_key(id)));
}

/// Artifacts that come and go among others that stay.
struct Churn {
    random: StdRng,
    partitions: Vec<Partition>,
    staying: Vec<Artifact>,
    leaving: Vec<Artifact>,
}

impl Churn {
    async fn begin(store: &Store, seed: u64) -> Self {
        let mut random = random(seed);
        let (partitions, staying) = fill(store, &mut random).await;
        let mut churn = Self { random, partitions, staying, leaving: Vec::new() };
        for _ in 0..10 {
            churn.arrive(store).await;
        }
        churn
    }

    /// Some go and some come.
    async fn go_on(&mut self, store: &Store) {
        let deletions = self.leaving.drain(..10).map(|artifact| async move {
            let garbage = Garbage { key: artifact.key(), ..garbage(1, at(0)) };
            store.delete_artifact(&artifact, &garbage).await.unwrap()
        });
        let outcomes = futures::future::join_all(deletions).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Replaced::Done));
        self.arrive(store).await;
    }

    async fn arrive(&mut self, store: &Store) {
        for _ in 0..10 {
            let partition = self.partitions.choose(&mut self.random).unwrap();
            self.leaving.push(random_artifact(&mut self.random, partition));
        }
        let arriving = self.leaving.iter().rev().take(10).cloned().collect::<Vec<_>>();
        insert_all(store, arriving.into_iter()).await;
    }
}
