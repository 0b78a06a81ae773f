use std::collections::BTreeSet;

use super::model::{fill, insert_all, random, random_artifact};
use super::*;
use crate::domain::id::ArtifactId;
use crate::metadata::{Directory, MAX_CANDIDATES};

const PREFIXES: [&str; 15] =
    ["", "a", "a/", "a/b", "a/b/", "do", "docs", "docs/", "docs/r", "docs/reports/", "名", "名前/", "e", "a\0", "\0"];

fn directory<'a>(partition: &'a Partition, prefix: &'a str, delimiter: Option<&'a str>) -> Directory<'a> {
    Directory { partition, prefix, delimiter, after: None, limit: 1_000, visible: &|_| true }
}

pub(super) async fn a_listing_without_delimiter_shows_all_names(store: Store) {
    assert_lists_as_it_should(&store, &[None]).await;
}

pub(super) async fn a_listing_with_a_delimiter_sums_up_what_lies_deeper(store: Store) {
    assert_lists_as_it_should(&store, &[Some("/"), Some("/b"), Some("a"), Some("e"), Some("前/")]).await;
}

async fn assert_lists_as_it_should(store: &Store, delimiters: &[Option<&str>]) {
    let (partitions, artifacts) = fill(store, &mut random(11)).await;
    let visible = |artifact: &Artifact| !artifact.id.as_bytes()[7].is_multiple_of(5);
    for prefix in PREFIXES {
        for delimiter in delimiters {
            for limit in [1, 2, 3, 7, 1_000] {
                let directory = Directory { limit, visible: &visible, ..directory(&partitions[0], prefix, *delimiter) };
                assert_eq!(found(store, &directory).await, expected(&artifacts, &directory), "{prefix} {limit}");
            }
        }
    }
}

pub(super) async fn a_large_folder_is_one_line_and_costs_no_more(store: Store) {
    let partition = of_user("app", "one");
    let mut random = random(12);
    let names = (0..MAX_CANDIDATES + 500).map(|number| format!("large/{number}"));
    let names: Vec<String> = names.chain(["a".to_owned(), "large".to_owned(), "z/1".to_owned()]).collect();
    let named = |name: &String| {
        let mut artifact = random_artifact(&mut random, &partition);
        artifact.description.filename = Some(name.parse().unwrap());
        artifact
    };
    insert_all(&store, names.iter().map(named).collect::<Vec<_>>().into_iter()).await;
    let contents = store.directory(&directory(&partition, "", Some("/"))).await.unwrap();
    let listed: Vec<_> = contents.items.iter().map(|item| item.description.filename.clone().unwrap()).collect();
    assert_eq!(listed.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["a", "large"]);
    assert_eq!(contents.prefixes, ["large/", "z/"]);
    assert_eq!(contents.next, None);
}

pub(super) async fn a_page_of_a_listing_that_asks_for_nothing_is_empty(store: Store) {
    let (partitions, _) = fill(&store, &mut random(13)).await;
    let nothing = Directory { limit: 0, ..directory(&partitions[0], "", None) };
    let contents = store.directory(&nothing).await.unwrap();
    assert!(contents.items.is_empty() && contents.prefixes.is_empty());
}

/// The artifacts and the beginnings of names.
type Listed = (Vec<ArtifactId>, Vec<String>);

/// What a listing shows in all, page by page.
async fn found(store: &Store, directory: &Directory<'_>) -> Listed {
    let (mut artifacts, mut prefixes) = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let page = store.directory(&Directory { after: after.as_ref(), ..*directory }).await.unwrap();
        assert!(page.items.len() + page.prefixes.len() <= directory.limit);
        artifacts.extend(ids(&page.items));
        prefixes.extend(page.prefixes);
        match page.next {
            Some(next) => after = Some(next),
            None => return (artifacts, prefixes),
        }
    }
}

/// What a listing must show in all, the slow and obvious way.
fn expected(artifacts: &[Artifact], directory: &Directory<'_>) -> Listed {
    let visible = artifacts.iter().filter(|artifact| artifact.partition == *directory.partition);
    let (mut items, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    for artifact in visible.filter(|artifact| (directory.visible)(artifact)) {
        let name = artifact.description.filename.as_ref().map_or("", |name| name.as_str());
        let Some(rest) = name.strip_prefix(directory.prefix) else { continue };
        match directory.delimiter.and_then(|delimiter| Some((delimiter, rest.find(delimiter)?))) {
            Some((delimiter, length)) => {
                let beginning = directory.prefix.len() + length + delimiter.len();
                prefixes.insert(name[..beginning].to_owned());
            }
            None => drop(items.insert((name, artifact.id))),
        }
    }
    (items.into_iter().map(|(_, id)| id).collect(), prefixes.into_iter().collect())
}
