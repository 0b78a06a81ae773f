//! The files of a session, listed like those of a file system.

use serde_json::{Value, json};

use super::support::{Client, DAY, Reply, TestApp, encoded};

on_every_pair! {
    names_are_listed_like_folders,
    all_pages_together_hold_everything_once,
    only_what_is_in_the_session_now_is_listed,
}

/// Stores files with these names in a session; `-` has none.
async fn store_names(client: &Client, names: &[&str]) {
    for name in names {
        let name = if *name == "-" { String::new() } else { format!("filename={}", encoded(name)) };
        client.stored(&name, "x").await;
    }
}

fn prefixes(page: &Reply) -> Vec<String> {
    serde_json::from_value(page.json()["prefixes"].clone()).unwrap()
}

const NAMES: [&str; 13] = [
    "readme.md",
    "docs/b.md",
    "docs/a.md",
    "-",
    "docs/deep/er/x",
    "docs/deep/er/y",
    "docs/deeper",
    "Docs/A",
    "docs",
    "-",
    "名前/報告.pdf",
    "名前/四半期/一",
    "docs-old/a",
];

/// A prefix, a delimiter, the names of the files and the prefixes that are listed.
type Listing<'a> = (&'a str, Option<&'a str>, &'a [&'a str], &'a [&'a str]);

async fn names_are_listed_like_folders(app: TestApp) {
    let alice = app.user("alice").naming("s 1/2");
    store_names(&alice, &NAMES).await;
    // Other scopes are not of the session, even if they were stored in it.
    alice.stored("scope=user&filename=docs/of-user", "x").await;
    let path = format!("/v1/sessions/{}/artifacts", encoded("s 1/2"));
    let mut all = NAMES.to_vec();
    all.sort_unstable();
    let listings: [Listing<'_>; 19] = [
        ("", None, &all, &[]),
        (
            "docs",
            None,
            &["docs", "docs-old/a", "docs/a.md", "docs/b.md", "docs/deep/er/x", "docs/deep/er/y", "docs/deeper"],
            &[],
        ),
        ("", Some("/"), &["-", "-", "docs", "readme.md"], &["Docs/", "docs-old/", "docs/", "名前/"]),
        ("docs/", Some("/"), &["docs/a.md", "docs/b.md", "docs/deeper"], &["docs/deep/"]),
        ("docs", Some("/"), &["docs"], &["docs-old/", "docs/"]),
        ("docs/deep", Some("/"), &["docs/deeper"], &["docs/deep/"]),
        ("docs/deep/", Some("/"), &[], &["docs/deep/er/"]),
        ("docs/deep/er/", Some("/"), &["docs/deep/er/x", "docs/deep/er/y"], &[]),
        ("docs/deep/er/x", Some("/"), &["docs/deep/er/x"], &[]),
        ("名前/", Some("/"), &["名前/報告.pdf"], &["名前/四半期/"]),
        ("名", Some("期"), &["名前/報告.pdf"], &["名前/四半期"]),
        ("docs/", Some("."), &["docs/deep/er/x", "docs/deep/er/y", "docs/deeper"], &["docs/a.", "docs/b."]),
        (
            "",
            Some("deep/er"),
            &[
                "-",
                "-",
                "Docs/A",
                "docs",
                "docs-old/a",
                "docs/a.md",
                "docs/b.md",
                "docs/deeper",
                "readme.md",
                "名前/四半期/一",
                "名前/報告.pdf",
            ],
            &["docs/deep/er"],
        ),
        ("readme.md", Some("/"), &["readme.md"], &[]),
        ("readme.md/", Some("/"), &[], &[]),
        ("missing/", Some("/"), &[], &[]),
        ("/", Some("/"), &[], &[]),
        ("docs\0", None, &[], &[]),
        ("\0", Some("/"), &[], &[]),
    ];
    for (prefix, delimiter, items, folders) in listings {
        let mut query = format!("prefix={}", encoded(prefix));
        query.extend(delimiter.map(|delimiter| format!("&delimiter={}", encoded(delimiter))));
        let page = alice.get(&format!("{path}?{query}")).await.expect(200);
        assert_eq!((page.names(), prefixes(&page)), (owned(items), owned(folders)), "{query}");
        assert_eq!(page.json()["next_cursor"], Value::Null, "{query}");
        // Smaller pages hold the same, in the same order.
        for limit in [1, 2, 3] {
            let pages = alice.pages(&path, &query, limit).await;
            let names: Vec<String> = pages.iter().flat_map(Reply::names).collect();
            let summed: Vec<String> = pages.iter().flat_map(prefixes).collect();
            assert_eq!((names, summed), (owned(items), owned(folders)), "{query} by {limit}");
        }
    }
    // An item is a whole record.
    let item = &alice.get(&format!("{path}?prefix=readme")).await.items()[0];
    let record = alice.get(&format!("/v1/artifacts/{}", item["artifact_id"].as_str().unwrap())).await;
    assert_eq!(*item, record.json());
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn all_pages_together_hold_everything_once(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let mut names: Vec<String> = (0..40).map(|n| format!("{}/{}/{n}", n % 3, n % 2)).collect();
    names.extend((0..10).map(|n| format!("file {n}")));
    let stores = names.iter().map(|name| alice.store(&format!("filename={}", encoded(name)), "x"));
    for reply in super::support::together(stores).await {
        reply.expect(201);
    }
    names.sort();
    let path = "/v1/sessions/s1/artifacts";
    for limit in [1, 7, 49, 50, 51, 1000] {
        let pages = alice.pages(path, "", limit).await;
        assert_eq!(pages.iter().flat_map(Reply::names).collect::<Vec<_>>(), names, "by {limit}");
        let pages = alice.pages(path, "delimiter=/", limit).await;
        assert_eq!(pages.iter().flat_map(Reply::names).collect::<Vec<_>>(), names[40..], "by {limit}");
        assert_eq!(pages.iter().flat_map(prefixes).collect::<Vec<_>>(), ["0/", "1/", "2/"], "by {limit}");
    }
}

async fn only_what_is_in_the_session_now_is_listed(app: TestApp) {
    let alice = app.user("alice");
    let path = "/v1/sessions/s1/artifacts";
    alice.get(path).await.problem(404, "session_not_found");
    let file = alice.naming("s1").stored("filename=old/name", "x").await;
    alice.naming("s1").stored("filename=short/life&ttl=60", "x").await;
    alice.naming("s2").stored("filename=elsewhere", "x").await;
    let deleted = alice.naming("s1").stored("filename=deleted/name", "x").await;
    alice.naming("s1").delete(&deleted.path).await.expect(204);
    let list = async || {
        let page = alice.get(&format!("{path}?delimiter=/")).await.expect(200);
        (page.names(), prefixes(&page))
    };
    assert_eq!(list().await, (owned(&[]), owned(&["old/", "short/"])));
    alice.naming("s1").patch(&file.path).json(json!({ "filename": "new" })).await.expect(200);
    app.pass(60);
    assert_eq!(list().await, (owned(&["new"]), owned(&[])), "a folder is gone with the last file in it");

    // Whose it is, is checked like for every other call to the session.
    app.user_in_session("alice", "s1").get(path).await.expect(200);
    app.session("s1").get(path).await.expect(200);
    alice.with_rights("artifacts:read").get(path).await.expect(200);
    for other in [
        app.user("bob"),
        app.user_in_session("bob", "s1"),
        app.user_in_session("alice", "s2"),
        app.session("s2"),
        app.admin("root"),
        alice.with_rights("artifacts:write"),
    ] {
        other.get(path).await.denied();
    }
    alice.in_sandbox("elsewhere").get(path).await.problem(404, "session_not_found");
    app.nobody().get(path).await.problem(401, "unauthenticated");

    app.pass(DAY);
    alice.get(path).await.problem(404, "session_not_found");
    // The next one with this id begins without files.
    app.user("bob").post("/v1/sessions").json(json!({ "session_id": "s1" })).await.expect(201);
    assert_eq!(app.user("bob").get(path).await.expect(200).names(), [""; 0]);
    alice.get(path).await.problem(403, "access_denied");
}

#[tokio::test]
async fn a_listing_has_valid_parameters() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice").naming("s1");
    alice.stored("filename=a", "x").await;
    let long = "x".repeat(1025);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("delimiter=", "delimiter"),
        (&*format!("delimiter={long}"), "delimiter"),
        (&*format!("prefix={long}"), "prefix"),
        ("prefix=a&prefix=b", "prefix"),
        ("delimiter=/&delimiter=/", "delimiter"),
        ("q=a", "q"),
        ("order=filename", "order"),
        ("prefx=a", "prefx"),
    ] {
        alice.get(&format!("/v1/sessions/s1/artifacts?{query}")).await.wrong_field(field);
    }
    alice.get("/v1/sessions/s1/artifacts?prefix=%ff").await.problem(400, "invalid_request");
    alice.get("/v1/sessions/%00/artifacts").await.wrong_field("id");
    alice.get(&format!("/v1/sessions/s1/artifacts?prefix={}&limit=1000", "x".repeat(1024))).await.expect(200);
}
