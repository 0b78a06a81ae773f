use super::*;
use crate::metadata::Replaced;

pub(super) async fn a_partition_is_listed_newest_first_page_by_page(store: Store) {
    // The order of insertion is not the order of the ids.
    for number in [3, 1, 5, 2, 4] {
        store.insert_artifact(&artifact(number)).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = store.artifacts_in(&partition(), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        pages.push(ids(&page));
    }
    assert_eq!(pages, [vec![id(5), id(4)], vec![id(3), id(2)], vec![id(1)]]);
}

pub(super) async fn a_page_begins_behind_its_bound_even_when_that_is_gone(store: Store) {
    for number in 1..=3 {
        store.insert_artifact(&artifact(number)).await.unwrap();
    }
    assert_eq!(store.delete_artifact(&artifact(2), &garbage(2, at(0))).await.unwrap(), Replaced::Done);
    let page = store.artifacts_in(&partition(), Some(id(2)), 10).await.unwrap();
    assert_eq!(ids(&page), [id(1)]);
}

pub(super) async fn a_replaced_record_is_listed_once_and_in_its_place(store: Store) {
    for number in 1..=3 {
        store.insert_artifact(&artifact(number)).await.unwrap();
    }
    let changed = Artifact { version: 2, ..full_artifact(2) };
    assert_eq!(store.replace_artifact(&changed, 1, None).await.unwrap(), Replaced::Done);
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), [artifact(3), changed, artifact(1)]);
}

pub(super) async fn no_partition_shows_what_belongs_to_another(store: Store) {
    let partitions = [
        in_session("app", "s"),
        in_session("app", "s2"),
        in_session("app2", "s"),
        in_session("app", "s/2"),
        in_session("app", "s%2F2"),
        in_session("app/sessions", "s"),
        in_session("app", "{s}"),
        in_session("app", "s*"),
        in_session("app", "S"),
        in_session("app", ".."),
        in_session("app", "名前 😀"),
        of_user("app", "s"),
        of_user("app", "auth0|42"),
        of_user("app", "'; --"),
        Partition::Shared { sandbox: sandbox("app") },
        Partition::Shared { sandbox: sandbox("app2") },
    ];
    for (number, partition) in (1..).zip(&partitions) {
        store.insert_artifact(&Artifact { partition: partition.clone(), ..artifact(number) }).await.unwrap();
    }
    for (number, partition) in (1..).zip(&partitions) {
        let listed = store.artifacts_in(partition, None, 100).await.unwrap();
        assert_eq!(ids(&listed), [id(number)], "{partition}");
    }
}

pub(super) async fn an_empty_page_is_empty(store: Store) {
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), []);
    store.insert_artifact(&artifact(1)).await.unwrap();
    assert_eq!(store.artifacts_in(&partition(), None, 0).await.unwrap(), []);
    assert_eq!(store.artifacts_in(&partition(), Some(id(1)), 10).await.unwrap(), []);
}
