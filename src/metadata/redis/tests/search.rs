//! What a page of a search costs.

use futures::stream::{self, StreamExt as _};

use super::connections::commands_of;
use super::*;
use crate::domain::artifact::SessionUse;
use crate::domain::search::{Filter, MetaTerm, Order};
use crate::metadata::Search;

const TYPES: [&str; 4] = ["image/png", "image/jpeg", "text/plain", "application/pdf"];

fn of_user() -> Partition {
    Partition::User { sandbox: "app".parse().unwrap(), user: "alice".parse().unwrap() }
}

fn nth(number: u32) -> Artifact {
    let mut artifact = artifact(1);
    artifact.partition = of_user();
    let mut random = [0; 10];
    random[..4].copy_from_slice(&number.to_be_bytes());
    artifact.id = of_user().adopt(ArtifactId::new(at(i64::from(number)), random));
    artifact.stored_at = at(i64::from(number));
    artifact.session = Some(SessionUse { id: format!("s{}", number % 50).parse().unwrap(), began: at(0) });
    artifact.content.bytes = u64::from(number);
    artifact.description.mime = TYPES[number as usize % 4].parse().unwrap();
    artifact.description.filename = Some(format!("{}/{number}.txt", number % 20).parse().unwrap());
    artifact.description.summary = format!("report about {}", number % 40).parse().unwrap();
    artifact.description.meta = json!({"team": number % 30, "number": number}).try_into().unwrap();
    artifact
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_a_handful_of_commands() {
    let store = redis_store();
    let insert = async |number| assert!(store.insert_artifact(&nth(number)).await.unwrap());
    stream::iter(0..10_000).for_each_concurrent(64, insert).await;

    let searched: &dyn MetadataStore = &store;
    let team = |number| vec![MetaTerm::new("team", &json!(number)).unwrap()];
    let filters = [
        Filter::default(),
        Filter { session: Some("s7".parse().unwrap()), ..Filter::default() },
        Filter { mime_prefix: Some("image/".parse().unwrap()), ..Filter::default() },
        Filter { mime_prefix: Some("text/plain".parse().unwrap()), ..Filter::default() },
        Filter { filename_prefix: Some("7/".to_owned()), ..Filter::default() },
        Filter { meta: team(8), ..Filter::default() },
        Filter { words: ["report".to_owned(), "9".to_owned()].into(), ..Filter::default() },
        Filter { stored_after: Some(at(4_000)), ..Filter::default() },
        Filter { stored_before: Some(at(4_000)), ..Filter::default() },
        Filter { min_bytes: Some(9_000), ..Filter::default() },
        Filter { max_bytes: Some(1_000), ..Filter::default() },
        Filter { meta: team(8), mime_prefix: Some("image/".parse().unwrap()), ..Filter::default() },
    ];
    // In an order that is not a filter's own, many candidates may be looked at, in some goes.
    for (order, most) in [("-stored_at", 12), ("filename", 16)] {
        for filter in &filters {
            let order: Order = order.parse().unwrap();
            let partitions = &[of_user()];
            let search = Search { partitions, filter, order, after: None, limit: 100, visible: &|_| true };
            let work = async { assert!(searched.search(&search).await.unwrap().next.is_some()) };
            let commands = commands_of(&store, work).await;
            assert!(commands.len() <= most, "{order} {filter:?}: {commands:#?}");
        }
    }
}
