//! What every storage provider must do, and what is built upon all of them: one suite of cases, each of
//! which runs on each provider.

mod subject;

use bytes::Bytes;
use futures::future::{join_all, pending};
use futures::{StreamExt, stream};
use tokio::sync::oneshot;

use self::subject::{KIB, MIB, Subject, assert_same, body, content, read_all};
use super::*;

/// Makes a module of tests for each provider, with one test for each case.
macro_rules! contract {
    ($($case:ident)*) => {
        run_on!(memory: $($case)*);
        run_on!(filesystem: $($case)*);
        run_on!(sqlite: $($case)*);
        run_on!(punctual: $($case)*);
        run_on!(s3: $($case)*);
        run_on!(prefixed: $($case)*);
    };
}

macro_rules! run_on {
    ($provider:ident: $($case:ident)*) => {
        mod $provider {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::subject::$provider().await).await;
                }
            )*
        }
    };
}

mod parts;

contract! {
    what_was_put_is_what_is_read
    a_body_of_unknown_length_is_stored_whole
    a_range_is_exactly_the_bytes_asked_for
    what_is_not_there_is_none
    put_replaces_the_whole
    a_reader_keeps_what_it_began_to_read_while_the_key_is_written_again
    a_reader_keeps_what_it_began_to_read_while_the_key_is_deleted
    a_body_that_fails_leaves_nothing_and_its_error_passes_unchanged
    a_body_that_fails_leaves_the_old_bytes_in_place
    a_dropped_put_leaves_nothing
    delete_is_idempotent
    delete_leaves_what_is_under_longer_keys
    head_tells_size_and_time
    a_copy_is_independent_of_its_source
    a_copy_replaces_and_may_be_repeated
    a_copy_of_nothing_is_no_copy
    a_listing_is_in_the_order_of_whole_keys
    a_listing_is_paged_by_after_and_limit
    a_listing_shows_only_what_has_the_prefix
    a_listing_does_not_show_what_is_being_written
    every_escape_in_a_key_is_kept
    concurrent_puts_leave_one_of_their_bodies_whole
    concurrent_puts_and_deletes_do_not_disturb_each_other
}

/// Around the sizes at which providers change their ways: chunks, batches, parts.
const SIZES: [usize; 12] =
    [0, 1, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, MIB - 1, MIB, MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB];

async fn what_was_put_is_what_is_read(subject: Subject) {
    for size in SIZES {
        let (key, content) = (subject.key(&format!("shared/{size}")), content(size, 1));
        subject.put(&key, &content).await;
        assert_same(subject.read(&key).await, &content);
    }
    subject.no_leftovers().await;
}

async fn a_body_of_unknown_length_is_stored_whole(subject: Subject) {
    for size in SIZES {
        let (key, content) = (subject.key(&format!("shared/{size}")), content(size, 1));
        subject.try_put(&key, &mut body(&content)).await.unwrap();
        assert_same(subject.read(&key).await, &content);
    }
    subject.no_leftovers().await;
}

async fn a_range_is_exactly_the_bytes_asked_for(subject: Subject) {
    let (key, content) = (subject.key("shared/a"), content(9 * MIB + 5, 1));
    subject.put(&key, &content).await;
    let size = content.len();
    let edges = [0, 1, 256 * KIB - 1, 256 * KIB, 512 * KIB + 1, MIB, 8 * MIB, 8 * MIB + 1, size - 1, size];
    for start in edges {
        for end in edges.into_iter().filter(|&end| start < end) {
            let stream = subject.open(&key, Some(start as u64..end as u64)).await.unwrap();
            assert_same(Some(read_all(stream).await), &content[start..end]);
        }
    }
}

async fn what_is_not_there_is_none(subject: Subject) {
    subject.put(&subject.key("shared/a"), b"a").await;
    for name in ["shared/b", "shared", "users/u/a"] {
        let key = subject.key(name);
        assert!(subject.open(&key, None).await.is_none());
        assert!(subject.open(&key, Some(0..1)).await.is_none());
        assert_eq!(subject.storage.head(&key).await.unwrap(), None);
    }
}

async fn put_replaces_the_whole(subject: Subject) {
    let key = subject.key("shared/a");
    for size in [9 * MIB, 3, 2 * MIB, 0] {
        let content = content(size, size as u64);
        subject.put(&key, &content).await;
        assert_same(subject.read(&key).await, &content);
        assert_eq!(subject.storage.head(&key).await.unwrap().unwrap().bytes, size as u64);
    }
    assert_eq!(subject.names("").await, ["shared/a"]);
}

async fn a_reader_keeps_what_it_began_to_read_while_the_key_is_written_again(subject: Subject) {
    let (key, old, new) = (subject.key("shared/a"), content(20 * MIB, 1), content(20 * MIB, 2));
    subject.put(&key, &old).await;
    let reader = subject.open(&key, None).await.unwrap();
    subject.put(&key, &new).await;
    subject.put(&key, b"newer").await;
    assert_same(Some(read_all(reader).await), &old);
}

async fn a_reader_keeps_what_it_began_to_read_while_the_key_is_deleted(subject: Subject) {
    let (key, content) = (subject.key("shared/a"), content(20 * MIB, 1));
    subject.put(&key, &content).await;
    let mut reader = subject.open(&key, None).await.unwrap();
    let mut read = reader.next().await.unwrap().unwrap().to_vec();
    subject.delete(&key).await;
    subject.put(&subject.key("shared/b"), b"something else").await;
    read.extend(read_all(reader).await);
    assert_same(Some(read), &content);
    assert!(subject.open(&key, None).await.is_none());
}

async fn a_body_that_fails_leaves_nothing_and_its_error_passes_unchanged(subject: Subject) {
    for size in [0, 100, 3 * MIB, 20 * MIB] {
        let key = subject.key(&format!("shared/{size}"));
        let content = content(size, 1);
        let mut body = body(&content).chain(stream::iter([Err(BodyError::TooLarge { limit: 7 })]));
        let error = subject.try_put(&key, &mut body).await.unwrap_err();
        assert!(matches!(error, PutError::Body(BodyError::TooLarge { limit: 7 })), "{error:?}");
        assert!(subject.open(&key, None).await.is_none());
    }
    assert!(subject.names("").await.is_empty());
    subject.no_leftovers().await;
}

async fn a_body_that_fails_leaves_the_old_bytes_in_place(subject: Subject) {
    let key = subject.key("shared/a");
    subject.put(&key, b"old").await;
    for size in [100, 9 * MIB] {
        let content = content(size, 1);
        let mut body = body(&content).chain(stream::iter([Err(BodyError::Stalled)]));
        subject.try_put(&key, &mut body).await.unwrap_err();
        assert_same(subject.read(&key).await, b"old");
    }
}

/// Begins to put `content` and stops when the provider waits for more than that.
async fn put_and_drop(subject: &Subject, key: &Key, content: &[u8]) {
    let (more, mut wants_more) = oneshot::channel();
    let stalled = stream::once(async move {
        more.send(()).unwrap();
        pending().await
    });
    let mut body = body(content).chain(stalled.boxed());
    tokio::select! {
        done = subject.try_put(key, &mut body) => panic!("the body has not ended: {done:?}"),
        asked = &mut wants_more => asked.unwrap(),
    }
}

async fn a_dropped_put_leaves_nothing(subject: Subject) {
    for size in [0, 100, 3 * MIB, 8 * MIB + 1, 20 * MIB] {
        put_and_drop(&subject, &subject.key(&format!("shared/{size}")), &content(size, 1)).await;
    }
    subject.no_leftovers().await;
    assert!(subject.names("").await.is_empty());
}

async fn delete_is_idempotent(subject: Subject) {
    let (key, sibling) = (subject.key("sessions/s/a"), subject.key("sessions/s/b"));
    subject.put(&key, b"a").await;
    subject.put(&sibling, b"b").await;
    for _ in 0..2 {
        subject.delete(&key).await;
        assert!(subject.open(&key, None).await.is_none());
    }
    subject.delete(&subject.key("sessions/other/a")).await;
    assert_eq!(subject.names("").await, ["sessions/s/b"]);
    subject.delete(&sibling).await;
    subject.put(&key, b"again").await;
    assert_same(subject.read(&key).await, b"again");
}

async fn delete_leaves_what_is_under_longer_keys(subject: Subject) {
    for name in ["shared/a/b", "shared/a.2", "shared/a0"] {
        subject.put(&subject.key(name), b"bytes").await;
    }
    subject.delete(&subject.key("shared/a")).await;
    subject.delete(&subject.key("shared")).await;
    assert_eq!(subject.names("").await, ["shared/a.2", "shared/a/b", "shared/a0"]);
}

async fn head_tells_size_and_time(subject: Subject) {
    let key = subject.key("shared/a");
    let stored = subject.try_put(&key, &mut body(&content(3 * MIB, 1))).await.unwrap();
    let head = subject.storage.head(&key).await.unwrap().unwrap();
    assert_eq!((head.bytes, &head.key, &head.etag), (3 * MIB as u64, &key, &stored.etag));
    let now = crate::clock::Clock::now(&crate::clock::SystemClock).as_seconds();
    assert!((now - head.stored_at.as_seconds()).abs() < 60, "{}", head.stored_at);
    assert!(!head.etag.is_some_and(|etag| etag.contains('"')));
}

async fn a_copy_is_independent_of_its_source(subject: Subject) {
    let (from, to) = (Key::pending(&subject.sandbox, "0".repeat(32).parse().unwrap()), subject.key("users/u/a"));
    let content = content(9 * MIB, 1);
    subject.put(&from, &content).await;
    assert!(subject.copy(&from, &to).await);
    assert_same(subject.read(&from).await, &content);
    subject.put(&from, b"written later").await;
    assert_same(subject.read(&to).await, &content);
    subject.delete(&from).await;
    assert_same(subject.read(&to).await, &content);
    assert_eq!(subject.storage.head(&to).await.unwrap().unwrap().bytes, content.len() as u64);
    subject.delete(&to).await;
    assert!(subject.read(&to).await.is_none());
}

async fn a_copy_replaces_and_may_be_repeated(subject: Subject) {
    let (from, to) = (subject.key("shared/a"), subject.key("shared/b"));
    subject.put(&from, b"new").await;
    subject.put(&to, b"old").await;
    for _ in 0..2 {
        assert!(subject.copy(&from, &to).await);
        assert_same(subject.read(&to).await, b"new");
    }
}

async fn a_copy_of_nothing_is_no_copy(subject: Subject) {
    let to = subject.key("shared/b");
    assert!(!subject.copy(&subject.key("shared/a"), &to).await);
    assert!(subject.read(&to).await.is_none());
}

/// In the order in which they must be listed. `.` comes before `/`, and `0` behind it.
const NAMES: [&str; 8] = ["a%2Fb/x", "a-/x", "a.2", "a.b/x", "a/b", "a/c/d", "a0", "b"];

async fn put_names(subject: &Subject) {
    for name in NAMES.iter().rev() {
        subject.put(&subject.key(name), name.as_bytes()).await;
    }
}

async fn a_listing_is_in_the_order_of_whole_keys(subject: Subject) {
    put_names(&subject).await;
    assert_eq!(subject.names("").await, NAMES);
    let listed = subject.storage.list(&subject.base(), None, 1000).await.unwrap();
    for object in listed {
        assert_eq!(Some(&object), subject.storage.head(&object.key).await.unwrap().as_ref());
    }
}

async fn a_listing_is_paged_by_after_and_limit(subject: Subject) {
    put_names(&subject).await;
    for limit in 1..=NAMES.len() + 1 {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = subject.storage.list(&subject.base(), after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            names.extend(subject.relative(&page));
            match page.last() {
                Some(last) => after = Some(last.key.clone()),
                None => break,
            }
        }
        assert_eq!(names, NAMES, "in pages of {limit}");
    }
    // A page may begin behind a key that is not there any more, or is no part of the listing.
    let after = async |name| {
        let listed = subject.storage.list(&subject.base(), Some(&subject.key(name)), 2).await.unwrap();
        subject.relative(&listed)
    };
    assert_eq!(after("a").await, ["a%2Fb/x", "a-/x"]);
    assert_eq!(after("a/b0").await, ["a/c/d", "a0"]);
    assert_eq!(after("a.1/zzz").await, ["a.2", "a.b/x"]);
    assert!(after("c").await.is_empty());
}

async fn a_listing_shows_only_what_has_the_prefix(subject: Subject) {
    put_names(&subject).await;
    assert_eq!(subject.names("a/").await, ["a/b", "a/c/d"]);
    assert_eq!(subject.names("a.").await, ["a.2", "a.b/x"]);
    assert_eq!(subject.names("a/c").await, ["a/c/d"]);
    assert_eq!(subject.names("a%2F").await, ["a%2Fb/x"]);
    assert_eq!(subject.names("b").await, ["b"]);
    for prefix in ["c", "b/", "A", "a/b/c/", "_"] {
        assert!(subject.names(prefix).await.is_empty(), "{prefix}");
    }
    let after = subject.key("a/b");
    let listed = subject.storage.list(&format!("{}a/", subject.base()), Some(&after), 10).await.unwrap();
    assert_eq!(subject.relative(&listed), ["a/c/d"]);
    let before = subject.key("A");
    let listed = subject.storage.list(&format!("{}a/", subject.base()), Some(&before), 10).await.unwrap();
    assert_eq!(subject.relative(&listed), ["a/b", "a/c/d"]);
}

async fn a_listing_does_not_show_what_is_being_written(subject: Subject) {
    let (more, wants_more) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let rest = stream::once(async move {
        more.send(()).unwrap();
        may_go_on.await.unwrap();
        Ok(Bytes::from_static(b"the end"))
    });
    let content = content(9 * MIB, 1);
    let mut body = body(&content).chain(rest.boxed());
    let key = subject.key("shared/a");
    let looking = async {
        wants_more.await.unwrap();
        let listed = subject.storage.list("", None, 100_000).await.unwrap();
        let strange = listed.iter().find(|object| !object.key.as_str().starts_with("grid/"));
        // Other tests may use the same bucket, all within their own sandboxes.
        let known = ["grid/", "pending/"];
        assert!(strange.is_none_or(|object| known.iter().any(|base| object.key.as_str().starts_with(base))));
        assert!(subject.names("").await.is_empty());
        assert!(subject.open(&key, None).await.is_none());
        go_on.send(()).unwrap();
    };
    let (stored, ()) = tokio::join!(subject.try_put(&key, &mut body), looking);
    stored.unwrap();
    assert_eq!(subject.names("").await, ["shared/a"]);
}

async fn every_escape_in_a_key_is_kept(subject: Subject) {
    let names = ["a%2Fb/users/auth0%7C42/x", "%2E%2E/shared/x", "a%252Fb/shared/x.2", "~a_b-c.d/sessions/%E2%82%AC/x"];
    for name in names {
        let key = subject.key(name);
        subject.put(&key, name.as_bytes()).await;
        assert_same(subject.read(&key).await, name.as_bytes());
        let copy = subject.key(&format!("{name}-copy"));
        assert!(subject.copy(&key, &copy).await);
        assert_same(subject.read(&copy).await, name.as_bytes());
        assert_eq!(subject.names(name).await, [name.to_owned(), format!("{name}-copy")]);
        subject.delete(&key).await;
        subject.delete(&copy).await;
    }
    assert!(subject.names("").await.is_empty());
}

async fn concurrent_puts_leave_one_of_their_bodies_whole(subject: Subject) {
    let key = subject.key("sessions/s/a");
    let contents: Vec<_> = (0..6).map(|n| content(if n % 2 == 0 { 2 * MIB + n } else { 1000 + n }, n as u64)).collect();
    join_all(contents.iter().map(|content| subject.put(&key, content))).await;
    let read = subject.read(&key).await.unwrap();
    assert!(contents.contains(&read));
    assert_eq!(subject.names("").await, ["sessions/s/a"]);
}

async fn concurrent_puts_and_deletes_do_not_disturb_each_other(subject: Subject) {
    let rounds = (0..8).map(|n| {
        let (subject, key) = (&subject, subject.key(&format!("sessions/s/{n}")));
        async move {
            for _ in 0..10 {
                subject.put(&key, b"bytes").await;
                assert_same(subject.read(&key).await, b"bytes");
                subject.delete(&key).await;
            }
        }
    });
    join_all(rounds).await;
    assert!(subject.names("").await.is_empty());
}
