//! Keys of the grid, taken apart again.

use proptest::prelude::*;
use serde_json::json;

use super::support::{TestApp, encoded};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the ids: what a key says is what the record says.
    #[test]
    fn every_key_says_what_the_record_says(
        sandbox in "\\PC{1,20}", user in "\\PC{1,20}", session in "\\PC{1,20}", replacements in 0_u32..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(assert_keys_say_what_records_say(&sandbox, &user, &session, replacements));
    }
}

async fn assert_keys_say_what_records_say(sandbox: &str, user: &str, session: &str, replacements: u32) {
    let app = TestApp::in_memory().await;
    let root = app.caller(json!({ "sub": user, "sid": session, "sandbox": sandbox, "scope": "artifacts:admin" }));
    for (scope, owner) in
        [("session", Some(("session_id", session))), ("user", Some(("user_id", user))), ("sandbox", None)]
    {
        let file = root.stored(&format!("scope={scope}"), "x").await;
        for revision in 1..=1 + replacements {
            if revision > 1 {
                root.put(&file.content).body(revision.to_string()).await.expect(200);
            }
            let record = root.get(&file.path).await.expect(200).json();
            let key = record["key"].as_str().unwrap();
            let parsed = root.get(&format!("/v1/grid/parse?key={}", encoded(key))).await.expect(200).json();
            let mut expected = json!({
                "sandbox_id": record["sandbox_id"], "scope": record["scope"], "artifact_id": record["artifact_id"],
                "revision": record["revision"],
            });
            if let Some((member, owner)) = owner {
                expected[member] = json!(owner);
            }
            assert_eq!(parsed, expected, "{key}");
            assert_eq!((&parsed["sandbox_id"], &parsed["revision"]), (&json!(sandbox), &json!(revision)), "{key}");
            assert_eq!(record["session_id"], json!(session), "{key}");
            assert!(app.bytes_under(key).await.is_some(), "{key}");
            assert_no_way_out(key);
        }
    }
    let found = root.walk("", 2).await;
    assert_eq!(found.len(), 3);
    for item in &found {
        assert_eq!(item["owner_id"], json!(user));
        let parsed = root.get(&format!("/v1/grid/parse?key={}", encoded(item["key"].as_str().unwrap()))).await;
        assert_eq!(parsed.expect(200).json()["artifact_id"], item["artifact_id"]);
    }
}

/// No id can leave its place in the key.
fn assert_no_way_out(key: &str) {
    let segments: Vec<&str> = key.split('/').collect();
    assert!(segments.len() == 4 || segments.len() == 5, "{key}");
    assert!(segments.iter().all(|segment| !matches!(*segment, "" | "." | "..")), "{key}");
    assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
}
