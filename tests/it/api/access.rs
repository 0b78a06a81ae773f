//! Who may do what: one table.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, future, stream};
use serde_json::json;

use super::support::{Client, Stored, TestApp};

on_every_pair! {
    everybody_may_do_what_the_table_says_and_nothing_else,
}

/// What each caller gets for each action on a file of alice's (or, in sandbox scope, of an
/// administrator's), and for storing a file of that scope. Session `s1` is alice's; nobody has used `s2`.
///
/// 403: the file is there, but not for this caller. 404: another sandbox; for it the file is not there.
const TABLE: &str = "
in session scope, stored in s1     | record HEAD content | patch move copy replace delete | store
alice naming s1                    |  200   200   200    |  200   200  201    200    204   |  201
alice with a token for s1          |  200   200   200    |  200   200  201    200    204   |  201
alice naming no session            |  403   403   403    |  403   403  403    403    403   |  201
alice naming s2                    |  403   403   403    |  403   403  403    403    403   |  201
alice with a token for s2          |  403   403   403    |  403   403  403    403    403   |  201
alice naming s1, token for s2      |  403   403   403    |  403   403  403    403    403   |  403
alice naming s1, read only         |  200   200   200    |  403   403  403    403    403   |  403
alice naming s1, write only        |  403   403   403    |  200   200  403    200    204   |  201
a session token for s1             |  200   200   200    |  200   200  201    200    204   |  201
a session token for s2             |  403   403   403    |  403   403  403    403    403   |  201
bob                                |  403   403   403    |  403   403  403    403    403   |  201
bob naming s1                      |  403   403   403    |  403   403  403    403    403   |  403
bob with a token for s1            |  403   403   403    |  403   403  403    403    403   |  403
an administrator                   |  403   403   403    |  403   403  403    403    403   |  201
an administrator naming s1         |  403   403   403    |  403   403  403    403    403   |  403
alice of another sandbox           |  404   404   404    |  404   404  404    404    404   |  201
alice of another sandbox naming s1 |  404   404   404    |  404   404  404    404    404   |  201
a session token for s1 elsewhere   |  404   404   404    |  404   404  404    404    404   |  201
an administrator elsewhere         |  404   404   404    |  404   404  404    404    404   |  201

in user scope                      | record HEAD content | patch move copy replace delete | store
alice naming s1                    |  200   200   200    |  200   200  201    200    204   |  201
alice with a token for s1          |  200   200   200    |  200   200  201    200    204   |  201
alice naming no session            |  200   200   200    |  200   200  201    200    204   |  201
alice naming s2                    |  200   200   200    |  200   200  201    200    204   |  201
alice with a token for s2          |  200   200   200    |  200   200  201    200    204   |  201
alice naming s1, token for s2      |  403   403   403    |  403   403  403    403    403   |  403
alice naming s1, read only         |  200   200   200    |  403   403  403    403    403   |  403
alice naming s1, write only        |  403   403   403    |  200   200  403    200    204   |  201
a session token for s1             |  403   403   403    |  403   403  403    403    403   |  403
a session token for s2             |  403   403   403    |  403   403  403    403    403   |  403
bob                                |  403   403   403    |  403   403  403    403    403   |  201
bob naming s1                      |  403   403   403    |  403   403  403    403    403   |  403
bob with a token for s1            |  403   403   403    |  403   403  403    403    403   |  403
an administrator                   |  403   403   403    |  403   403  403    403    403   |  201
an administrator naming s1         |  403   403   403    |  403   403  403    403    403   |  403
alice of another sandbox           |  404   404   404    |  404   404  404    404    404   |  201
alice of another sandbox naming s1 |  404   404   404    |  404   404  404    404    404   |  201
a session token for s1 elsewhere   |  404   404   404    |  404   404  404    404    404   |  403
an administrator elsewhere         |  404   404   404    |  404   404  404    404    404   |  201

in sandbox scope                   | record HEAD content | patch move copy replace delete | store
alice naming s1                    |  200   200   200    |  403   403  403    403    403   |  403
alice with a token for s1          |  200   200   200    |  403   403  403    403    403   |  403
alice naming no session            |  200   200   200    |  403   403  403    403    403   |  403
alice naming s2                    |  200   200   200    |  403   403  403    403    403   |  403
alice with a token for s2          |  200   200   200    |  403   403  403    403    403   |  403
alice naming s1, token for s2      |  403   403   403    |  403   403  403    403    403   |  403
alice naming s1, read only         |  200   200   200    |  403   403  403    403    403   |  403
alice naming s1, write only        |  403   403   403    |  403   403  403    403    403   |  403
a session token for s1             |  200   200   200    |  403   403  403    403    403   |  403
a session token for s2             |  200   200   200    |  403   403  403    403    403   |  403
bob                                |  200   200   200    |  403   403  403    403    403   |  403
bob naming s1                      |  403   403   403    |  403   403  403    403    403   |  403
bob with a token for s1            |  200   200   200    |  403   403  403    403    403   |  403
an administrator                   |  200   200   200    |  200   200  201    200    204   |  201
an administrator naming s1         |  403   403   403    |  403   403  403    403    403   |  403
alice of another sandbox           |  404   404   404    |  404   404  404    404    404   |  403
alice of another sandbox naming s1 |  404   404   404    |  404   404  404    404    404   |  403
a session token for s1 elsewhere   |  404   404   404    |  404   404  404    404    404   |  403
an administrator elsewhere         |  404   404   404    |  404   404  404    404    404   |  201
";

/// The caller of this name, and whether the file is in their sandbox.
fn caller(app: &TestApp, name: &str) -> (Client, bool) {
    let (alice, bob, root) = (app.user("alice"), app.user("bob"), app.admin("root"));
    match name {
        "alice naming s1" => (alice.naming("s1"), true),
        "alice with a token for s1" => (app.user_in_session("alice", "s1"), true),
        "alice naming no session" => (alice, true),
        "alice naming s2" => (alice.naming("s2"), true),
        "alice with a token for s2" => (app.user_in_session("alice", "s2"), true),
        "alice naming s1, token for s2" => (app.user_in_session("alice", "s2").naming("s1"), true),
        "alice naming s1, read only" => (alice.naming("s1").with_rights("artifacts:read"), true),
        "alice naming s1, write only" => (alice.naming("s1").with_rights("artifacts:write"), true),
        "a session token for s1" => (app.session("s1"), true),
        "a session token for s2" => (app.session("s2"), true),
        "bob" => (bob, true),
        "bob naming s1" => (bob.naming("s1"), true),
        "bob with a token for s1" => (app.user_in_session("bob", "s1"), true),
        "an administrator" => (root, true),
        "an administrator naming s1" => (root.naming("s1"), true),
        "alice of another sandbox" => (alice, false),
        "alice of another sandbox naming s1" => (alice.naming("s1"), false),
        "a session token for s1 elsewhere" => (app.session("s1"), false),
        "an administrator elsewhere" => (root, false),
        unknown => panic!("{unknown}"),
    }
}

async fn everybody_may_do_what_the_table_says_and_nothing_else(app: TestApp) {
    let mut lines = Vec::new();
    for block in TABLE.trim().split("\n\n") {
        let mut block = block.lines();
        let scope = block.next().unwrap().split(' ').nth(1).unwrap();
        lines.extend(block.map(|line| (scope, line.split_once('|').unwrap())));
    }
    let app = &app;
    let wrong = stream::iter(lines).map(|(scope, (name, cells))| async move {
        let expected: Vec<u16> = cells.split_whitespace().filter_map(|cell| cell.parse().ok()).collect();
        let actual = statuses(app, name.trim(), scope).await;
        (actual != expected).then(|| format!("{name}in {scope} scope: {actual:?} instead of {expected:?}\n"))
    });
    // Lines share nothing, so several can be under way.
    let wrong: Vec<String> = wrong.buffered(8).filter_map(future::ready).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// What a caller gets for each action. A refusal must have changed nothing.
async fn statuses(app: &TestApp, name: &str, scope: &str) -> Vec<u16> {
    // Storing decides whose s2 is, so each line has a sandbox of its own.
    let sandbox = format!("{} {scope} {name}", app.sandbox);
    let alice = app.user("alice").naming("s1").in_sandbox(&sandbox);
    alice.store("", "").await.expect(201);
    let owner = if scope == "sandbox" { app.admin("owner").in_sandbox(&sandbox) } else { alice };
    let file = owner.stored(&format!("scope={scope}"), "bytes").await;
    let (caller, at_home) = caller(app, name);
    let caller = if at_home { caller.in_sandbox(&sandbox) } else { caller.in_sandbox(&format!("not {sandbox}")) };

    let mut statuses = Vec::new();
    let mut known = state(&owner, &file).await;
    assert_eq!(known.1, "bytes");
    for action in ["record", "HEAD", "content", "patch", "move", "copy", "replace", "delete", "store"] {
        let reply = match action {
            "record" => caller.get(&file.path).await,
            "HEAD" => caller.head(&file.path).await,
            "content" => caller.get(&file.content).await,
            "patch" => caller.patch(&file.path).json(json!({ "summary": "changed" })).await,
            "move" => caller.post(&format!("{}/move", file.path)).json(json!({ "filename": "moved" })).await,
            "copy" => caller.post(&format!("{}/copy", file.path)).await,
            "replace" => caller.put(&file.content).body("changed").await,
            "delete" => caller.delete(&file.path).await,
            _ => caller.store(&format!("scope={scope}"), "new").await,
        };
        match reply.status.as_u16() {
            _ if action == "HEAD" => {}
            403 => drop(reply.denied()),
            404 => drop(reply.problem(404, "artifact_not_found")),
            _ => {}
        }
        if ["patch", "move", "copy", "replace", "delete"].contains(&action) {
            let now = state(&owner, &file).await;
            assert!(reply.status.is_success() || now == known, "{name}: {action} was refused, but not undone");
            known = now;
        }
        statuses.push(reply.status.as_u16());
    }
    statuses
}

/// The file as its owner sees it: record and content, or nothing when it is gone.
async fn state(owner: &Client, file: &Stored) -> (Bytes, Bytes) {
    let (record, content) = (owner.get(&file.path).await, owner.get(&file.content).await);
    match content.status.as_u16() {
        404 => (Bytes::new(), Bytes::new()),
        _ => (record.expect(200).body, content.expect(200).body),
    }
}

/// Existence, too, is told to those only who may read.
#[tokio::test]
async fn the_head_of_content_is_guarded_like_the_content() {
    let app = TestApp::in_memory().await;
    let file = app.user("alice").stored("scope=user", "bytes").await;
    for (caller, status) in [
        (app.user("alice"), 200),
        (app.user("alice").with_rights("artifacts:write"), 403),
        (app.user("bob"), 403),
        (app.user("alice").in_sandbox("elsewhere"), 404),
    ] {
        caller.head(&file.content).await.expect(status);
        let known = caller.get(&file.content).header("if-none-match", "*").await;
        known.expect(if status == 200 { 304 } else { status });
    }
}

#[tokio::test]
async fn rights_may_come_as_scope_or_as_roles() {
    let app = TestApp::in_memory().await;
    for (claims, rights) in [
        (json!({}), vec!["artifacts:read", "artifacts:write"]),
        (json!({ "scope": "openid profile" }), vec!["artifacts:read", "artifacts:write"]),
        (json!({ "scope": "openid artifacts:read" }), vec!["artifacts:read"]),
        (json!({ "roles": ["artifacts:write"] }), vec!["artifacts:write"]),
        (json!({ "scope": "artifacts:read", "roles": ["artifacts:write"] }), vec!["artifacts:read", "artifacts:write"]),
        (json!({ "roles": ["artifacts:admin"] }), vec!["artifacts:read", "artifacts:write", "artifacts:admin"]),
    ] {
        let mut claims = claims;
        claims["sub"] = json!("alice");
        let answer = app.caller(claims.clone()).get("/v1/whoami").await.expect(200).json();
        let expected = json!({ "sandbox_id": app.sandbox, "user_id": "alice", "session_id": null, "rights": rights });
        assert_eq!(answer, expected, "{claims}");
    }
    let session = app.caller(json!({ "session_id": "s1", "sandbox": "elsewhere" }));
    let expected = json!({
        "sandbox_id": "elsewhere", "user_id": null, "session_id": "s1",
        "rights": ["artifacts:read", "artifacts:write"],
    });
    assert_eq!(session.get("/v1/whoami").await.json(), expected);
}

/// A body that never comes shows that it was not waited for.
#[tokio::test]
async fn who_may_not_write_is_refused_before_the_body_is_read() {
    let app = TestApp::in_memory().await;
    let file = app.user("alice").stored("scope=user", "x").await;
    let reader = app.user("alice").with_rights("artifacts:read");
    for call in [
        reader.post("/v1/artifacts").header("content-type", "application/vnd.artifactd.store+json"),
        reader.post("/v1/artifacts").header("content-type", "multipart/form-data; boundary=x"),
        reader.post("/v1/artifacts").header("content-type", "text/plain"),
        reader.patch(&file.path).header("content-type", "application/json"),
        reader.put(&file.content),
    ] {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let reply = tokio::time::timeout(Duration::from_secs(30), call.body(never).into_future()).await;
        reply.expect("an answer").problem(403, "insufficient_scope");
    }
}
