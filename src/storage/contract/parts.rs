//! Uploads in parts, on every provider.

use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::join_all;
use sha2::{Digest, Sha256};

use super::subject::{self, MIB, Subject, assert_same, content, read_all};
use crate::domain::digest::Sha256Digest;
use crate::domain::id::ArtifactId;
use crate::fault::FaultKind;
use crate::storage::{Key, Part, Parts, PutOptions};

contract! {
    parts_are_listed_by_number_with_size_and_digest
    a_part_that_comes_again_replaces_the_former
    what_is_arriving_is_no_part
    of_parts_that_cross_each_other_one_stays
    leftovers_of_a_crash_are_passed_over_and_removed_with_the_next_part
    parts_are_read_one_after_the_other
    a_part_that_is_not_what_was_listed_cannot_be_read
    remove_takes_all_of_the_upload_and_nothing_else
    remove_takes_what_is_at_the_place_itself
}

fn new_id() -> ArtifactId {
    format!("{:032x}", rand::random::<u128>()).parse().unwrap()
}

fn digest(content: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(content).into())
}

struct Upload<'a> {
    subject: &'a Subject,
    place: Key,
    parts: Parts,
}

impl<'a> Upload<'a> {
    fn new(subject: &'a Subject) -> Self {
        let place = Key::pending(&subject.sandbox, new_id());
        Self { subject, parts: Parts::new(Arc::clone(&subject.storage), place.clone()), place }
    }

    async fn arrive(&self, content: &[u8]) -> Key {
        let incoming = self.parts.incoming(new_id());
        self.subject.put(&incoming, content).await;
        incoming
    }

    async fn add(&self, number: u32, content: &[u8]) -> Part {
        let incoming = self.arrive(content).await;
        let number = number.try_into().unwrap();
        let added = self.parts.add(&incoming, number, digest(content), &PutOptions::default()).await;
        added.unwrap().unwrap()
    }

    /// The keys of all objects that belong to the upload.
    async fn keys(&self) -> Vec<String> {
        let listed = self.subject.storage.list(&format!("{}/", self.place), None, 1000).await.unwrap();
        listed.into_iter().map(|object| object.key.to_string()).collect()
    }
}

async fn parts_are_listed_by_number_with_size_and_digest(subject: Subject) {
    let upload = Upload::new(&subject);
    assert_eq!(upload.parts.list().await.unwrap(), []);
    let mut added = Vec::new();
    for number in [10_000, 2, 11, 1] {
        added.push(upload.add(number, &content(number as usize, 1)).await);
    }
    added.sort_by_key(|part| part.number);
    assert_eq!(upload.parts.list().await.unwrap(), added);
    for part in &added {
        let number: u32 = part.number.into();
        assert_eq!(part.bytes, u64::from(number));
        assert_eq!(part.etag, digest(&content(number as usize, 1)).to_string());
    }
}

async fn a_part_that_comes_again_replaces_the_former(subject: Subject) {
    let upload = Upload::new(&subject);
    let other = upload.add(2, b"another part").await;
    // However fast they follow each other, and also when the same comes back.
    for content in [&b"one"[..], b"another", b"one", b"one", b"third"] {
        let part = upload.add(1, content).await;
        assert_eq!(part.etag, digest(content).to_string());
        assert_eq!(upload.parts.list().await.unwrap(), [part.clone(), other.clone()]);
        assert_same(subject.read(&upload.parts.key_of(&part).unwrap()).await, content);
        assert_eq!(upload.keys().await.len(), 2);
    }
}

async fn what_is_arriving_is_no_part(subject: Subject) {
    let upload = Upload::new(&subject);
    let incoming = upload.arrive(b"bytes").await;
    assert_eq!(upload.parts.list().await.unwrap(), []);

    let absent = upload.parts.incoming(new_id());
    let number = 1.try_into().unwrap();
    let added = upload.parts.add(&absent, number, digest(b"bytes"), &PutOptions::default()).await.unwrap();
    assert_eq!(added, None);
    assert_eq!(upload.keys().await, [incoming.to_string()]);
}

async fn of_parts_that_cross_each_other_one_stays(subject: Subject) {
    let upload = Upload::new(&subject);
    let contents = [&b"one"[..], b"two", b"one", b"three", b"two"];
    for _ in 0..5 {
        join_all(contents.map(|content| upload.add(1, content))).await;
        let listed = upload.parts.list().await.unwrap();
        let [part] = &listed[..] else { panic!("{listed:?}") };
        let read = subject.read(&upload.parts.key_of(part).unwrap()).await.unwrap();
        assert_eq!(digest(&read).to_string(), part.etag);
        assert!(contents.contains(&&read[..]));
    }
    let last = upload.add(1, b"the last").await;
    assert_eq!(upload.parts.list().await.unwrap(), [last]);
    assert_eq!(upload.keys().await.len(), 1);
}

async fn leftovers_of_a_crash_are_passed_over_and_removed_with_the_next_part(subject: Subject) {
    let upload = Upload::new(&subject);
    upload.add(1, b"old").await;
    // The new part is in its place, but the old one and what had arrived have not been removed any more.
    let incoming = upload.arrive(b"new").await;
    let place = upload.place.part(1.try_into().unwrap(), digest(b"new"));
    assert!(subject.copy(&incoming, &place).await);
    let etags: Vec<_> = upload.parts.list().await.unwrap().into_iter().map(|part| part.etag).collect();
    assert!(etags == [digest(b"new").to_string()] || etags == [digest(b"old").to_string()], "{etags:?}");

    let newest = upload.add(1, b"newest").await;
    assert_eq!(upload.keys().await, [incoming.to_string(), upload.parts.key_of(&newest).unwrap().to_string()]);
    upload.parts.remove().await.unwrap();
    assert!(upload.keys().await.is_empty());
}

async fn parts_are_read_one_after_the_other(subject: Subject) {
    let upload = Upload::new(&subject);
    let contents = [content(3 * MIB, 1), content(5, 2), content(0, 3), content(MIB + 1, 4)];
    for (number, content) in (1..).zip(&contents) {
        upload.add(number, content).await;
    }
    let parts = upload.parts.list().await.unwrap();
    assert_same(Some(read_all(upload.parts.read(parts.clone())).await), &contents.concat());
    assert_same(Some(read_all(upload.parts.read(vec![parts[1].clone()])).await), &contents[1]);
    assert!(read_all(upload.parts.read(Vec::new())).await.is_empty());
}

async fn a_part_that_is_not_what_was_listed_cannot_be_read(subject: Subject) {
    let upload = Upload::new(&subject);
    upload.add(1, b"first").await;
    let replaced = upload.add(2, b"second").await;
    let parts = upload.parts.list().await.unwrap();
    let read = async || upload.parts.read(parts.clone()).try_collect::<Vec<_>>().await;
    for tampered in [&b"secon"[..], b"second and more"] {
        subject.put(&upload.parts.key_of(&replaced).unwrap(), tampered).await;
        assert_eq!(read().await.unwrap_err().kind, FaultKind::Broken);
    }
    upload.add(2, b"replaced").await;
    assert_eq!(read().await.unwrap_err().kind, FaultKind::Unavailable, "the parts of now can be read");
    let foreign = Part { etag: "../../secret".to_owned(), ..replaced };
    assert!(upload.parts.key_of(&foreign).is_err());
}

async fn remove_takes_all_of_the_upload_and_nothing_else(subject: Subject) {
    let (upload, neighbour) = (Upload::new(&subject), Upload::new(&subject));
    neighbour.add(1, b"of another upload").await;
    let stored = subject.key("shared/a");
    subject.put(&stored, b"stored").await;
    for number in 1..=20 {
        upload.add(number, b"bytes").await;
    }
    upload.arrive(b"arriving").await;
    for _ in 0..2 {
        upload.parts.remove().await.unwrap();
        assert!(upload.keys().await.is_empty());
    }
    assert_eq!(neighbour.parts.list().await.unwrap().len(), 1);
    assert_same(subject.read(&stored).await, b"stored");
    neighbour.parts.remove().await.unwrap();
}

async fn remove_takes_what_is_at_the_place_itself(subject: Subject) {
    let upload = Upload::new(&subject);
    subject.put(&upload.place, b"sent to the store").await;
    upload.parts.remove().await.unwrap();
    assert_eq!(subject.read(&upload.place).await, None);
}
