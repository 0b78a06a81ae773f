//! Searching: who finds what.

use artifactd::domain::time::Timestamp;
use artifactd::metadata::Replaced;
use serde_json::json;

use super::support::{Client, DAY, Pair, Providers, TestApp, store_file};

on_every_pair! {
    everybody_finds_what_they_may_read_and_nothing_else,
    a_session_does_not_find_the_files_of_an_earlier_one,
    an_ended_default_session_that_another_user_took_over_is_nobodys_business,
}

/// Who asks, what for, and what is found; 403 is for questions that are not theirs to ask.
const TABLE: &str = "
alice                      |                            | default, alice s1, alice s2, shared
alice                      | scope=session              | default
alice                      | scope=user                 | alice s1, alice s2
alice                      | scope=sandbox              | shared
alice                      | session_id=s1              | s1, alice s1
alice                      | session_id=s2              | s2, alice s2
alice                      | session_id=s2&scope=user   | alice s2
alice                      | session_id=r               | 403
alice                      | session_id=b               | 403
alice                      | session_id=b&scope=user    | 403
alice                      | session_id=nobody's        |
alice                      | session_id=missing         |
alice naming s1            |                            | s1, alice s1, alice s2, shared
alice naming s1            | scope=session              | s1
alice naming missing       |                            | alice s1, alice s2, shared
alice naming b             |                            | 403
alice naming b             | scope=sandbox              | 403
alice with a token for s1  |                            | s1, alice s1, alice s2, shared
alice with a token for s1  | session_id=s1&scope=session | s1
alice with a token for s1  | session_id=s2              | 403
alice, token s1, naming s2 |                            | 403
alice, token s1, naming s2 | scope=sandbox              | 403
alice with write only      |                            | 403
alice with read only       |                            | default, alice s1, alice s2, shared
a token for s1             |                            | s1, shared
a token for s1             | scope=session              | s1
a token for s1             | scope=user                 | 403
a token for s1             | session_id=s2              | 403
a token for missing        |                            | shared
bob                        |                            | bob, shared
bob                        | session_id=b               | b, bob
bob                        | session_id=s1              | 403
bob with a token for s1    |                            | 403
carol                      |                            | shared
carol                      | scope=session              |
an administrator           |                            | shared
an administrator           | session_id=s1              | 403
an administrator           | session_id=r               | r, shared
alice elsewhere            |                            | elsewhere
alice elsewhere            | session_id=s1              | elsewhere s1
alice elsewhere            | session_id=b               |
dave elsewhere             |                            |
";

fn caller(app: &TestApp, name: &str) -> Client {
    let alice = app.user("alice");
    match name {
        "alice" => alice,
        "alice naming s1" => alice.naming("s1"),
        "alice naming missing" => alice.naming("missing"),
        "alice naming b" => alice.naming("b"),
        "alice with a token for s1" => app.user_in_session("alice", "s1"),
        "alice, token s1, naming s2" => app.user_in_session("alice", "s1").naming("s2"),
        "alice with write only" => alice.with_rights("artifacts:write"),
        "alice with read only" => alice.with_rights("artifacts:read"),
        "a token for s1" => app.session("s1"),
        "a token for missing" => app.session("missing"),
        "bob" => app.user("bob"),
        "bob with a token for s1" => app.user_in_session("bob", "s1"),
        "carol" => app.user("carol"),
        "an administrator" => app.admin("root"),
        "alice elsewhere" => alice.in_sandbox(&elsewhere(app)),
        "dave elsewhere" => app.user("dave").in_sandbox(&elsewhere(app)),
        unknown => panic!("{unknown}"),
    }
}

fn elsewhere(app: &TestApp) -> String {
    format!("not {}", app.sandbox)
}

async fn everybody_finds_what_they_may_read_and_nothing_else(app: TestApp) {
    let (alice, bob) = (app.user("alice"), app.user("bob"));
    let away = alice.in_sandbox(&elsewhere(&app));
    for (client, scope, name) in [
        (alice.clone(), "session", "default"),
        (alice.naming("s1"), "session", "s1"),
        (alice.naming("s2"), "session", "s2"),
        (alice.naming("s1"), "user", "alice s1"),
        (alice.naming("s2"), "user", "alice s2"),
        (bob.naming("b"), "session", "b"),
        (bob.naming("b"), "user", "bob"),
        (app.admin("root").naming("r"), "session", "r"),
        (app.admin("root").naming("r"), "sandbox", "shared"),
        (app.session("a session token's"), "session", "nobody's"),
        (away.naming("s1"), "session", "elsewhere s1"),
        (away.clone(), "user", "elsewhere"),
    ] {
        store_file(&client, json!({ "filename": name, "summary": "to be found", "scope": scope })).await;
    }
    for line in TABLE.trim().lines() {
        let [name, parameters, expected] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let client = caller(&app, name);
        for filter in [json!({}), json!({ "q": "found" })] {
            let mut question = filter;
            for (name, value) in parameters.split('&').filter_map(|pair| pair.split_once('=')) {
                question[name] = json!(value);
            }
            if expected == "403" {
                client.ask(&question).await.denied();
                continue;
            }
            let mut expected: Vec<&str> = expected.split(", ").filter(|name| !name.is_empty()).collect();
            expected.sort_unstable();
            assert_eq!(client.found(&question).await, expected, "{line}");
        }
    }
    app.nobody().get("/v1/artifacts").await.problem(401, "unauthenticated");
    app.nobody().post("/v1/artifacts/search").json(json!({})).await.problem(401, "unauthenticated");
    // To search does not begin a session.
    alice.get("/v1/sessions/missing").await.problem(404, "session_not_found");
}

async fn a_session_does_not_find_the_files_of_an_earlier_one(app: TestApp) {
    let alice = app.user("alice");
    alice.naming("s1").stored("filename=first", "x").await;
    alice.naming("s1").stored("filename=kept&scope=user", "x").await;
    alice.delete("/v1/sessions/s1").await.expect(204);
    assert_eq!(alice.naming("s1").found(&json!({ "scope": "session" })).await, [""; 0]);
    assert_eq!(alice.found(&json!({ "session_id": "s1" })).await, ["kept"]);

    let bob = app.user("bob").naming("s1");
    bob.stored("filename=second", "x").await;
    assert_eq!(bob.found(&json!({})).await, ["second"]);
    alice.ask(&json!({ "session_id": "s1" })).await.problem(403, "access_denied");
    // It ends by itself: what it leaves until it is swept is found by nobody.
    app.pass(DAY);
    assert_eq!(bob.found(&json!({})).await, [""; 0]);
    alice.naming("s1").stored("filename=third", "x").await;
    assert_eq!(alice.naming("s1").found(&json!({ "scope": "session" })).await, ["third"]);
}

async fn an_ended_default_session_that_another_user_took_over_is_nobodys_business(app: TestApp) {
    let alice = app.user("alice");
    let session = alice.stored("filename=a", "x").await.text("session_id").to_owned();
    alice.stored("filename=kept&scope=user", "x").await;
    app.pass(DAY);
    app.user("bob").naming(&session).stored("filename=b", "x").await;
    assert_eq!(alice.found(&json!({})).await, ["kept"]);
    assert_eq!(alice.found(&json!({ "scope": "session" })).await, [""; 0]);
    alice.naming(&session).ask(&json!({})).await.problem(403, "access_denied");
}

/// As a crash in the middle of ending a session may leave it.
#[tokio::test]
async fn what_an_earlier_session_left_behind_is_found_by_nobody() {
    let providers = Providers::open(Pair::Memory).await;
    let app = TestApp::with(providers.clone(), |_| {});
    let alice = app.user("alice").naming("s1");
    let file = alice.stored("filename=left", "x").await;
    alice.stored("filename=new", "x").await;
    let before = providers.metadata.artifact(file.text("artifact_id").parse().unwrap()).await.unwrap().unwrap();
    let mut after = before.clone();
    after.session.as_mut().unwrap().began = Timestamp::from_millis(0);
    after.version += 1;
    assert_eq!(providers.metadata.replace_artifact(&before, &after, None).await.unwrap(), Replaced::Done);
    assert_eq!(alice.found(&json!({})).await, ["new"]);
    assert_eq!(alice.get("/v1/sessions/s1/artifacts").await.expect(200).names(), ["new"]);
    alice.get(&file.path).await.problem(404, "artifact_not_found");
}
