use rand::RngExt as _;
use serde_json::json;

use super::model::{both, expected, fill, filters, found, insert_all, orders, random, random_artifact};
use super::*;
use crate::domain::id::ArtifactId;
use crate::domain::search::{Filter, MetaTerm, Order, SortKey};
use crate::metadata::{MAX_CANDIDATES, Search};

/// Everything in `partitions` that `filter` lets through.
fn search<'a>(partitions: &'a [Partition], filter: &'a Filter, order: Order, limit: usize) -> Search<'a> {
    Search { partitions, filter, order, after: None, limit, visible: &|_| true }
}

pub(super) async fn every_filter_finds_in_every_order_what_it_should(store: Store) {
    let mut random = random(1);
    let (partitions, artifacts) = fill(&store, &mut random).await;
    for filter in filters() {
        for order in orders() {
            let search = search(&partitions, &filter, order, random.random_range(1..150));
            assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{filter:?} {order}");
        }
    }
}

pub(super) async fn all_of_a_filter_must_hold(store: Store) {
    let mut random = random(2);
    let (partitions, artifacts) = fill(&store, &mut random).await;
    let (filters, orders) = (filters(), orders());
    for (number, one) in filters.iter().enumerate() {
        for other in &filters[..number] {
            let filter = both(one, other);
            let order = orders[random.random_range(0..orders.len())];
            let search = search(&partitions, &filter, order, random.random_range(1..150));
            assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{filter:?} {order}");
        }
    }
}

pub(super) async fn pages_of_every_size_join_without_a_seam(store: Store) {
    let (partitions, artifacts) = fill(&store, &mut random(3)).await;
    let early = Filter { stored_before: Some(at(10)), ..Filter::default() };
    let image = Filter { mime_prefix: Some("image/".parse().unwrap()), ..early.clone() };
    for filter in [early, image] {
        for order in orders() {
            for limit in [1, 16, 17, 1_000] {
                let search = search(&partitions, &filter, order, limit);
                assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{filter:?} {order} {limit}");
            }
        }
    }
}

pub(super) async fn partitions_are_searched_alone_or_together(store: Store) {
    let (partitions, artifacts) = fill(&store, &mut random(4)).await;
    let filter = Filter::default();
    for partitions in [&partitions[..0], &partitions[..1], &partitions[1..2], &partitions[1..], &partitions] {
        for order in orders() {
            let search = search(partitions, &filter, order, 40);
            assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{partitions:?} {order}");
        }
    }
}

pub(super) async fn what_is_not_visible_is_passed_over(store: Store) {
    let (partitions, artifacts) = fill(&store, &mut random(5)).await;
    for (filter, order) in filters().iter().zip(orders().into_iter().cycle()) {
        let visible = |artifact: &Artifact| artifact.id.as_bytes()[7].is_multiple_of(5);
        let search = Search { visible: &visible, ..search(&partitions, filter, order, 10) };
        assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{filter:?} {order}");
    }
}

pub(super) async fn a_page_that_asks_for_nothing_is_empty(store: Store) {
    let (partitions, _) = fill(&store, &mut random(6)).await;
    let filter = Filter::default();
    let nothing = search(&partitions, &filter, Order::default(), 0);
    assert_eq!(store.search(&nothing).await.unwrap().items, []);
}

pub(super) async fn a_search_that_finds_almost_nothing_ends_in_short_pages(store: Store) {
    let partition = of_user("app", "one");
    let mut random = random(7);
    let mut bare = || {
        let id = partition.adopt(ArtifactId::new(at(0), random.random()));
        Artifact { id, ..artifact_in(&partition, 0) }
    };
    let artifacts: Vec<Artifact> = (0..2 * MAX_CANDIDATES + 1).map(|_| bare()).collect();
    insert_all(&store, artifacts.iter().cloned()).await;
    for order in orders() {
        let filter = Filter::default();
        let all = search(std::slice::from_ref(&partition), &filter, order, 100);
        let last = *expected(&artifacts, &all).last().unwrap();
        let only_last = Search { visible: &|artifact| artifact.id == last, ..all };

        let first = store.search(&only_last).await.unwrap();
        let second = store.search(&Search { after: first.next.as_ref(), ..only_last }).await.unwrap();
        let third = store.search(&Search { after: second.next.as_ref(), ..only_last }).await.unwrap();
        assert_eq!([ids(&first.items), ids(&second.items), ids(&third.items)], [vec![], vec![], vec![last]]);
        assert!(first.next.is_some() && second.next.is_some() && third.next.is_none());
    }
}

/// More media types than are walked side by side.
pub(super) async fn many_media_types_are_found_in_their_order(store: Store) {
    let partition = of_user("app", "one");
    let mut random = random(8);
    let artifacts: Vec<Artifact> = (0..200)
        .map(|number| {
            let mut artifact = random_artifact(&mut random, &partition);
            artifact.description.mime = format!("image/x-{}", number % 70).parse().unwrap();
            artifact.description.meta = meta_of(json!({"many": number % 2 == 0}));
            artifact
        })
        .collect();
    insert_all(&store, artifacts.iter().cloned()).await;
    for prefix in ["image/", "image/x-1", "image/x-11", "image/x-999"] {
        let meta = MetaTerm::new("many", &json!(true)).unwrap();
        for meta in [vec![], vec![meta]] {
            let filter = Filter { mime_prefix: Some(prefix.parse().unwrap()), meta, ..Filter::default() };
            for order in orders() {
                let search = search(std::slice::from_ref(&partition), &filter, order, 30);
                assert_eq!(found(&*store, &search).await, expected(&artifacts, &search), "{filter:?} {order}");
            }
        }
    }
}

pub(super) async fn a_changed_record_is_found_where_it_belongs_now(store: Store) {
    let partitions = [partition()];
    for number in 1..=3 {
        store.insert_artifact(&artifact(number)).await.unwrap();
    }
    let changed = Artifact { version: 2, ..full_artifact(2) };
    assert_eq!(store.replace_artifact(&artifact(2), &changed, None).await.unwrap(), Replaced::Done);
    let filter = Filter::default();
    for (order, expected) in [
        (Order { by: SortKey::StoredAt, descending: true }, [id(3), id(2), id(1)]),
        (Order { by: SortKey::Filename, descending: false }, [id(1), id(3), id(2)]),
        (Order { by: SortKey::Bytes, descending: true }, [id(2), id(3), id(1)]),
    ] {
        assert_eq!(found(&*store, &search(&partitions, &filter, order, 2)).await, expected);
    }
    assert_eq!(listed(&store, &partition()).await, [artifact(3), changed, artifact(1)]);
}
