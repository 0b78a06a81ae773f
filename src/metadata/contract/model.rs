//! Many artifacts, filters for them, and what a search must find: the slow and obvious way.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::*;
use crate::domain::artifact::SessionUse;
use crate::domain::id::ArtifactId;
use crate::domain::search::{Filter, MetaTerm, Order, SortKey};
use crate::domain::words::words;
use crate::metadata::Search;

/// What artifacts are called: some not at all, some alike, some by the beginning of another.
const NAMES: [&str; 21] = [
    "",
    "a",
    "a/b",
    "a/b/c",
    "a/b.txt",
    "a-b",
    "a.b",
    "ab/c",
    "b",
    "docs/é",
    "docs/été/1.txt",
    "docs/readme.md",
    "docs/reports/q1.pdf",
    "docs/reports/q2.pdf",
    "docs/reports/final/q2.pdf",
    "docs-old/readme.md",
    "e\u{301}/x",
    "\u{ff}",
    "名前/報告.txt",
    "名前/😀",
    "😀",
];

/// The same numbers for everyone who begins with `seed`.
pub(super) fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// An artifact of a partition, with an id that has not been before.
pub(super) fn random_artifact(random: &mut StdRng, partition: &Partition) -> Artifact {
    let mut artifact = artifact_in(partition, 0);
    // Many are stored at the same instant.
    artifact.stored_at = at(random.random_range(0..40));
    artifact.id = partition.adopt(ArtifactId::new(artifact.stored_at, random.random()));
    artifact.content.bytes = *[0, 1, 255, 256, 1_000, 1_001, MAX_BYTES].choose(random).unwrap();
    let sessions = ["one", "two", "three"];
    artifact.session = sessions.choose(random).map(|id| SessionUse { id: id.parse().unwrap(), began: at(0) });
    let description = &mut artifact.description;
    let mimes =
        ["image/png", "Image/PNG; q=1", "image/jpeg", "text/plain", "text/plain; charset=utf-8", "text/plainer"];
    description.mime = mimes.choose(random).unwrap().parse().unwrap();
    description.filename = NAMES.choose(random).filter(|name| !name.is_empty()).map(|name| name.parse().unwrap());
    let summaries = ["", "The final report", "REPORT: q1", "四半期報告書", "x y z"];
    description.summary = summaries.choose(random).unwrap().parse().unwrap();
    let metas = [
        json!({}),
        json!({"project": "x", "page": 1}),
        json!({"project": "x", "page": "1", "final": true}),
        json!({"project": "y", "page": 1.0, "final": false}),
        json!({"project": {"name": "x"}, "tags": ["x"]}),
        json!({"project.name": "x", "project": null}),
    ];
    description.meta = meta_of(metas.choose(random).unwrap().clone());
    artifact
}

/// Three hundred artifacts in three partitions, and some that a search there must not find.
pub(super) async fn fill(store: &Store, random: &mut StdRng) -> (Vec<Partition>, Vec<Artifact>) {
    let partitions = vec![in_session("app", "one"), of_user("app", "one"), shared("app")];
    let others = [in_session("app", "two"), of_user("app", "two"), shared("app2")];
    let artifacts: Vec<Artifact> =
        (0..100).flat_map(|_| &partitions).map(|partition| random_artifact(random, partition)).collect();
    let unrelated = (0..10).flat_map(|_| &others).map(|partition| random_artifact(random, partition));
    let all = artifacts.iter().cloned().chain(unrelated);
    insert_all(store, all).await;
    (partitions, artifacts)
}

/// Inserts many artifacts side by side.
pub(super) async fn insert_all(store: &Store, artifacts: impl Iterator<Item = Artifact> + Send) {
    use futures::StreamExt as _;
    let insertions = artifacts.map(|artifact| async move { store.insert_artifact(&artifact).await.unwrap() });
    let inserted = futures::stream::iter(insertions).buffer_unordered(256).all(|inserted| async move { inserted });
    assert!(inserted.await);
}

/// All orders, up and down.
pub(super) fn orders() -> Vec<Order> {
    let keys = [SortKey::StoredAt, SortKey::Filename, SortKey::Bytes];
    keys.into_iter().flat_map(|by| [false, true].map(|descending| Order { by, descending })).collect()
}

/// One filter for every way to ask for something.
pub(super) fn filters() -> Vec<Filter> {
    let any = Filter::default;
    let term = |path: &str, value: &str| MetaTerm { path: path.to_owned(), value: value.to_owned() };
    let mut filters = vec![any()];
    filters.extend(["one", "nine"].map(|id| Filter { session: Some(id.parse().unwrap()), ..any() }));
    filters.extend(
        ["IMAGE/", "image/png", "text/plain", "video/"]
            .map(|prefix| Filter { mime_prefix: Some(prefix.parse().unwrap()), ..any() }),
    );
    filters.extend(
        ["", "a", "a/b", "docs/", "docs/\u{e9}", "名", "a\0", "\0", "\u{10ffff}"]
            .map(|prefix| Filter { filename_prefix: Some(prefix.to_owned()), ..any() }),
    );
    filters.extend(
        [
            vec![term("project", "x")],
            vec![term("project.name", "x")],
            vec![term("page", "1")],
            vec![term("page", "1.0"), term("final", "false")],
            vec![term("tags", "x")],
        ]
        .map(|meta| Filter { meta, ..any() }),
    );
    filters.extend(["report", "REPORT q1", "報告", "md", "nothing"].map(|q| Filter { words: words(q), ..any() }));
    filters.extend([
        Filter { stored_after: Some(at(10)), ..any() },
        Filter { stored_before: Some(at(30)), ..any() },
        Filter { stored_after: Some(at(19)), stored_before: Some(at(21)), ..any() },
        Filter { stored_after: Some(at(30)), stored_before: Some(at(10)), ..any() },
        Filter { min_bytes: Some(256), ..any() },
        Filter { max_bytes: Some(255), ..any() },
        Filter { min_bytes: Some(1_000), max_bytes: Some(u64::MAX), ..any() },
        Filter { min_bytes: Some(u64::MAX), max_bytes: Some(0), ..any() },
    ]);
    filters
}

/// What both filters want; where they want different things, what `one` does.
pub(super) fn both(one: &Filter, other: &Filter) -> Filter {
    let (one, other) = (one.clone(), other.clone());
    Filter {
        session: one.session.or(other.session),
        mime_prefix: one.mime_prefix.or(other.mime_prefix),
        filename_prefix: one.filename_prefix.or(other.filename_prefix),
        meta: [one.meta, other.meta].concat(),
        words: one.words.into_iter().chain(other.words).collect(),
        stored_after: one.stored_after.or(other.stored_after),
        stored_before: one.stored_before.or(other.stored_before),
        min_bytes: one.min_bytes.or(other.min_bytes),
        max_bytes: one.max_bytes.or(other.max_bytes),
    }
}

/// What a search must find in all.
pub(super) fn expected<'a>(artifacts: &'a [Artifact], search: &Search<'_>) -> Vec<ArtifactId> {
    let is_wanted = |artifact: &&'a Artifact| {
        search.partitions.contains(&artifact.partition) && search.filter.matches(artifact) && (search.visible)(artifact)
    };
    let name = |artifact: &'a Artifact| (artifact.description.filename.as_ref(), artifact.id);
    let mut found: Vec<&'a Artifact> = artifacts.iter().filter(is_wanted).collect();
    match search.order.by {
        SortKey::StoredAt => found.sort_by_key(|artifact| (artifact.stored_at, artifact.id)),
        SortKey::Filename => found.sort_by(|a, b| name(a).cmp(&name(b))),
        SortKey::Bytes => found.sort_by_key(|artifact| (artifact.content.bytes, artifact.id)),
    }
    if search.order.descending {
        found.reverse();
    }
    found.into_iter().map(|artifact| artifact.id).collect()
}

/// What a search finds in all, page by page.
pub(super) async fn found(store: &dyn MetadataStore, search: &Search<'_>) -> Vec<ArtifactId> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.search(&Search { after: after.as_ref(), ..*search }).await.unwrap();
        assert!(page.items.len() <= search.limit);
        found.extend(ids(&page.items));
        let Some(next) = page.next else { return found };
        assert_ne!(after.as_ref(), Some(&next), "the same page again");
        after = Some(next);
    }
}
