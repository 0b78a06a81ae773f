use serde_json::json;

use super::counting::{Cost, Counting};
use super::model::{expected, insert_all, orders};
use super::*;
use crate::domain::artifact::SessionUse;
use crate::domain::id::ArtifactId;
use crate::domain::search::{Filter, MetaTerm, Order, SortKey};
use crate::domain::words::words;
use crate::metadata::{MAX_CANDIDATES, Search};

const PAGE: usize = 100;

pub(super) async fn a_page_costs_the_same_however_much_there_is(store: Store) {
    // A server in another process takes its time to be filled.
    let count = if store.name() == "redis" { 3 * MAX_CANDIDATES } else { 20_000 };
    let (store, artifacts) = filled(store, count).await;
    for filter in filters_with_lists().into_iter().chain(filters_with_ranges()) {
        let artifacts = matching(&artifacts, &filter);
        for order in orders() {
            let cost = assert_first_page(&store, &artifacts, &filter, order).await;
            let has_list = order.by == SortKey::StoredAt && filters_with_lists().contains(&filter);
            // Of what has a list, nothing is looked at that is not on the page.
            let (read, scanned) = if has_list { (PAGE, 2 * PAGE) } else { (MAX_CANDIDATES + PAGE, 2 * MAX_CANDIDATES) };
            assert!(cost.read <= read && cost.scanned <= scanned, "{filter:?} {order} {cost:?}");
            assert!(cost.counted <= 5 * MAX_CANDIDATES, "{filter:?} {order} {cost:?}");
        }
    }
}

pub(super) async fn what_grows_after_it_was_counted_is_not_cut_off(store: Store) {
    let (mut store, artifacts) = filled(store, 3 * MAX_CANDIDATES).await;
    store.at_most = 1;
    for filter in filters_with_lists() {
        let artifacts = matching(&artifacts, &filter);
        for order in orders() {
            assert_first_page(&store, &artifacts, &filter, order).await;
        }
    }
}

/// What is found in the order in which it was stored without looking at anything else.
fn filters_with_lists() -> Vec<Filter> {
    let any = Filter::default;
    let meta = |name: &str| vec![MetaTerm::new(name, &json!(true)).unwrap()];
    let image = Some("image/".parse().unwrap());
    vec![
        any(),
        Filter { session: Some("chat-1".parse().unwrap()), ..any() },
        Filter { mime_prefix: image.clone(), ..any() },
        Filter { mime_prefix: Some("video/mp4".parse().unwrap()), ..any() },
        Filter { meta: meta("half"), ..any() },
        Filter { meta: meta("rare"), ..any() },
        Filter { meta: meta("never"), ..any() },
        Filter { words: words("half"), ..any() },
        Filter { words: words("w7"), ..any() },
        Filter { meta: meta("half"), mime_prefix: image.clone(), ..any() },
        Filter { meta: meta("rare"), mime_prefix: image, ..any() },
    ]
}

/// What is found in some other order, or through none.
fn filters_with_ranges() -> [Filter; 6] {
    let any = Filter::default;
    [
        Filter { filename_prefix: Some("1".to_owned()), ..any() },
        Filter { filename_prefix: Some("123".to_owned()), ..any() },
        Filter { stored_after: Some(at(19_000)), ..any() },
        Filter { stored_before: Some(at(9_000)), ..any() },
        Filter { min_bytes: Some(19_000), ..any() },
        Filter { max_bytes: Some(9_000), ..any() },
    ]
}

fn matching(artifacts: &[Artifact], filter: &Filter) -> Vec<Artifact> {
    artifacts.iter().filter(|artifact| filter.matches(artifact)).cloned().collect()
}

/// Fails unless the first page of a search is what it should be; gives what it cost.
async fn assert_first_page(store: &Counting, artifacts: &[Artifact], filter: &Filter, order: Order) -> Cost {
    let partitions = [of_user("app", "alice")];
    let search = Search { partitions: &partitions, filter, order, after: None, limit: PAGE, visible: &|_| true };
    let expected = expected(artifacts, &search);
    store.cost();
    let page = (store as &dyn MetadataStore).search(&search).await.unwrap();
    assert_eq!(ids(&page.items), expected[..expected.len().min(PAGE)], "{filter:?} {order}");
    assert_eq!(page.next.is_some(), expected.len() > PAGE, "{filter:?} {order}");
    store.cost()
}

/// A user with `count` artifacts.
async fn filled(store: Store, count: usize) -> (Counting, Vec<Artifact>) {
    let partition = of_user("app", "alice");
    let artifacts: Vec<Artifact> = (0..count).map(|number| numbered(&partition, number)).collect();
    insert_all(&store, artifacts.iter().cloned()).await;
    (Counting::new(store), artifacts)
}

fn numbered(partition: &Partition, number: usize) -> Artifact {
    let mut artifact = artifact_in(partition, 0);
    artifact.stored_at = at(number as i64);
    artifact.id = partition.adopt(ArtifactId::new(artifact.stored_at, [0; 10]));
    // Names and sizes come in other orders.
    artifact.description.filename = Some(format!("{:05}", number * 7_919 % 20_000).parse().unwrap());
    artifact.content.bytes = number as u64 * 1_049 % 20_000;
    artifact.session = Some(SessionUse { id: format!("chat-{}", number % 4).parse().unwrap(), began: at(0) });
    let mime = if number % 1_000 == 3 { "video/mp4" } else { ["image/png", "image/jpeg", "text/plain"][number % 3] };
    artifact.description.mime = mime.parse().unwrap();
    artifact.description.meta = meta_of(json!({"half": number.is_multiple_of(2), "rare": number % 500 == 7}));
    let half = if number.is_multiple_of(2) { "half" } else { "other" };
    artifact.description.summary = format!("{half} w{}", number % 100).parse().unwrap();
    artifact
}
