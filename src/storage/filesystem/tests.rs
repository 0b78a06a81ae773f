//! What only files do: permissions, leftovers of processes that are gone, folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream;

mod failing_disk;

pub(super) use self::failing_disk::FailingDisk;
use super::*;

/// The paths of all temporary files except locks.
pub(in crate::storage) fn temporary_files(temp: &Path) -> Vec<String> {
    let is_lock = |path: &Path| path.file_name().is_some_and(|name| name == "lock");
    files_below(temp).iter().filter(|path| !is_lock(path)).map(|path| path.display().to_string()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries(folder).into_iter().flat_map(below).collect()
}

fn key(name: &str) -> Key {
    Key::from_listing(name).unwrap()
}

async fn put(storage: &FilesystemStorage, name: &str) {
    let mut body = stream::iter([Ok(Bytes::from_static(b"bytes"))]);
    storage.put(&key(name), &mut body, &PutOptions::default()).await.unwrap();
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/root");
    let storage = FilesystemStorage::open(&root).unwrap();
    put(&storage, "grid/app/shared/a").await;
    assert!(storage.copy(&key("grid/app/shared/a"), &key("grid/app/users/u/b"), &PutOptions::default()).await.unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in files_below(&root) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for folder in file.ancestors().skip(1).take_while(|folder| *folder != folder.parent().unwrap().join("new")) {
            if folder.starts_with(&root) {
                assert_eq!(mode(folder), 0o700, "{}", folder.display());
            }
        }
    }
}

#[tokio::test]
async fn of_many_files_at_once_each_is_stored_and_one_that_cannot_be_harms_no_other() {
    const FILES: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let storage = FilesystemStorage::open(folder.path()).unwrap();
    // Where some of them are to go, a file is in the way.
    put(&storage, "grid/app/shared/taken").await;
    let name = |number: usize| match number % 100 {
        50 => format!("grid/app/shared/taken/{number}"),
        _ => format!("grid/app/users/u{}/{number}", number % 7),
    };
    let stored = (0..FILES).map(async |number| {
        let mut body = stream::iter([Ok(Bytes::from(number.to_string()))]);
        storage.put(&key(&name(number)), &mut body, &PutOptions::default()).await.is_ok()
    });
    let stored = futures::future::join_all(stored).await;
    for (number, stored) in stored.into_iter().enumerate() {
        let content = fs::read_to_string(folder.path().join(name(number))).ok();
        assert_eq!(stored, number % 100 != 50, "{number}");
        assert_eq!(content, stored.then(|| number.to_string()));
    }
    assert_eq!(temporary_files(&folder.path().join("tmp")), Vec::<String>::new());
}

#[tokio::test]
async fn empty_folders_are_removed_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FilesystemStorage::open(folder.path()).unwrap();
    put(&storage, "grid/app/sessions/s/a").await;
    put(&storage, "grid/app/sessions/t/a").await;
    storage.delete(&key("grid/app/sessions/s/a")).await.unwrap();
    assert_eq!(entries(&folder.path().join("grid/app/sessions")), [folder.path().join("grid/app/sessions/t")]);
    storage.delete(&key("grid/app/sessions/t/a")).await.unwrap();
    assert_eq!(entries(folder.path()), [folder.path().join("tmp")]);
}

#[test]
fn a_file_finds_its_place_while_others_remove_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path().to_owned()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let target = disk.path(&key(&format!("grid/app/sessions/s/{thread}")));
            let disk = &disk;
            scope.spawn(move || {
                for _ in 0..100 {
                    disk.publish(disk.temp.file().unwrap(), &target).unwrap();
                    assert!(target.exists());
                    disk.delete(&target).unwrap();
                }
            });
        }
    });
    assert_eq!(entries(folder.path()), [folder.path().join("tmp")]);
}

#[tokio::test]
async fn temporary_files_of_the_dead_are_removed_and_those_of_the_living_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let temp = folder.path().join("tmp");
    let living = FilesystemStorage::open(folder.path()).unwrap();
    let file = living.disk.temp.file().unwrap();
    let [killed, at_its_start] = ["a", "b"].map(|name| temp.join(name.repeat(32)));
    for dead in [&killed, &at_its_start] {
        fs::create_dir(dead).unwrap();
    }
    fs::write(killed.join("lock"), "").unwrap();
    fs::write(killed.join("0"), "half of a body").unwrap();
    let _other = FilesystemStorage::open(folder.path()).unwrap();
    assert_eq!(temporary_files(&temp), [file.path.as_path().display().to_string()]);
    assert!(!killed.exists() && !at_its_start.exists());
}

#[tokio::test]
async fn a_storage_that_is_closed_takes_its_temporary_folder_with_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(FilesystemStorage::open(folder.path()).unwrap());
    assert_eq!(entries(&folder.path().join("tmp")), [folder.path().join("tmp/lock")]);
}

#[tokio::test]
async fn several_storages_share_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let one = FilesystemStorage::open(folder.path()).unwrap();
    let other = FilesystemStorage::open(folder.path()).unwrap();
    put(&one, "grid/app/shared/a").await;
    assert!(other.head(&key("grid/app/shared/a")).await.unwrap().is_some());
    other.delete(&key("grid/app/shared/a")).await.unwrap();
    assert!(one.head(&key("grid/app/shared/a")).await.unwrap().is_none());
    put(&one, "grid/app/shared/a").await;
}

#[tokio::test]
async fn a_folder_with_more_names_than_are_kept_in_memory_is_listed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FilesystemStorage::open(folder.path()).unwrap();
    let shared = folder.path().join("grid/app/shared");
    fs::create_dir_all(&shared).unwrap();
    let names: Vec<_> = (0..2500).map(|n| format!("grid/app/shared/{n:05}")).collect();
    for name in &names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::write(shared.join("not a key"), "").unwrap();
    let listed = storage.list("grid/", None, 10_000).await.unwrap();
    assert!(listed.iter().map(|object| object.key.as_str()).eq(names));
}

#[tokio::test]
async fn a_copy_that_is_repeated_leaves_no_link_behind() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FilesystemStorage::open(folder.path()).unwrap();
    put(&storage, "grid/app/shared/a").await;
    for _ in 0..2 {
        storage.copy(&key("grid/app/shared/a"), &key("grid/app/shared/b"), &PutOptions::default()).await.unwrap();
    }
    assert!(temporary_files(&folder.path().join("tmp")).is_empty());
}

#[tokio::test]
async fn where_links_cannot_be_made_bytes_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FilesystemStorage::open(folder.path()).unwrap();
    put(&storage, "grid/app/shared/a").await;
    let (from, to) = (key("grid/app/shared/a"), key("grid/app/users/u/a"));
    assert!(storage.disk.copy_bytes(&storage.disk.path(&from), &storage.disk.path(&to)).unwrap());
    assert_eq!(fs::read(storage.disk.path(&to)).unwrap(), b"bytes");
    assert!(!storage.disk.copy_bytes(&storage.disk.path(&key("none")), &storage.disk.path(&to)).unwrap());
}

#[test]
fn what_the_system_says_is_told_apart() {
    use crate::fault::FaultKind;
    let kind = |code| fault("writing", io::Error::from_raw_os_error(code)).kind;
    let (eio, enfile, emfile, enospc, erofs, edquot) = (5, 23, 24, 28, 30, 122);
    for code in [enfile, emfile] {
        assert_eq!(kind(code), FaultKind::Unavailable);
    }
    for code in [enospc, edquot] {
        assert_eq!(kind(code), FaultKind::Full);
    }
    for code in [eio, erofs] {
        assert_eq!(kind(code), FaultKind::Broken);
    }
}

#[test]
fn what_others_keep_beside_temporary_files_stays() {
    let folder = tempfile::tempdir().unwrap();
    let temp = folder.path().join("tmp");
    let theirs = [temp.join("notes"), temp.join("c".repeat(32))];
    for path in &theirs {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("file"), "theirs").unwrap();
    }
    fs::write(temp.join("d".repeat(32)), "theirs").unwrap();
    // As a process leaves it that is killed while it starts.
    fs::create_dir(temp.join("e".repeat(32))).unwrap();
    drop(FilesystemStorage::open(folder.path()).unwrap());
    let left = entries(&temp);
    assert!(theirs.iter().chain([&temp.join("d".repeat(32))]).all(|path| left.contains(path)), "{left:?}");
    assert!(!left.contains(&temp.join("e".repeat(32))));
}
