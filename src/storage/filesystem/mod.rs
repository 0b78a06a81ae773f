//! Bytes in files.
//!
//! An object is the file `{root}/{key}`. It is written to a temporary file, synced and renamed, so it
//! appears whole and survives a crash of the machine; small files do so in groups. Files and folders are for their owner only.
//! Several processes may share a root. Object files are never changed in place, so one that is open
//! stays readable as it was, and a copy is a second link.

mod cached;
mod folders;
mod group;
mod listing;
mod making;
mod read;
mod temp;
#[cfg(test)]
pub(super) mod tests;
mod whole;

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;

use self::folders::Folders;
use self::group::Group;
use self::read::Reader;
use self::temp::{TempFile, TempFolder};
use self::whole::WholeFileSystem;
use super::batch::{Batch, Batches};
use super::{Body, ByteStream, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use crate::clock::{Clock, SystemClock};
use crate::domain::time::Timestamp;
use crate::fault::{Cause, Fault, FaultKind, Fullness};
use crate::files::create_private_dir;

const NAME: &str = "filesystem";
/// What is written at a time: enough that going to the blocking pool costs little beside it.
const BATCH_BYTES: usize = 1024 * 1024;

/// Keeps bytes in files below a folder.
pub struct FilesystemStorage {
    disk: Arc<Disk>,
    /// What small files are stored by, if the file system can sync several at once.
    group: Option<Arc<Group>>,
    fullness: Fullness,
}

impl FilesystemStorage {
    /// Opens the folder, creating it when missing, and removes the temporary files of processes that
    /// have ended without doing so. Blocks for as long as that takes.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Fault> {
        let disk = Disk::open(root.into()).map_err(|error| fault("opening the folder", error))?;
        let (whole, disk) = (WholeFileSystem::of(disk.folders.root()), Arc::new(disk));
        let group = whole.map(|whole| Group::new(Arc::clone(&disk), whole));
        Ok(Self { disk, group, fullness: Fullness::default() })
    }

    /// Runs `job` on the blocking pool, beginning now.
    fn on_disk<T, F>(
        &self,
        operation: &'static str,
        job: F,
    ) -> impl Future<Output = Result<T, Fault>> + Send + use<T, F>
    where
        F: FnOnce(&Disk) -> io::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let disk = Arc::clone(&self.disk);
        blocking(operation, move || job(&disk))
    }

    /// What is written of a body that ends within one batch takes one trip to the blocking pool, from the creation
    /// of the file to the last sync. When that has begun, dropping the future no longer stops it.
    async fn write(&self, key: &Key, body: Body<'_>) -> Result<Stored, PutError> {
        let mut batches = Batches::new(body);
        let mut batch = batches.next(BATCH_BYTES).await?;
        let target = self.disk.path(key);
        if batch.last
            && let Some(group) = &self.group
        {
            group.store(batch, target).await.map_err(|error| fault("writing", error))?;
            return Ok(Stored { etag: None });
        }
        let mut file = None;
        while !batch.last {
            let written = self.on_disk("writing", move |disk| disk.append(file, &batch));
            // The disk takes one batch while the network brings the next.
            let (written, next) = tokio::join!(written, batches.next(BATCH_BYTES));
            (file, batch) = (Some(written?), next?);
        }
        self.on_disk("writing", move |disk| {
            let file = disk.append(file, &batch)?;
            disk.publish(file, &target)
        })
        .await?;
        Ok(Stored { etag: None })
    }
}

#[async_trait]
impl Storage for FilesystemStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_full(&self) -> bool {
        self.fullness.is_full()
    }

    async fn put(&self, key: &Key, body: Body<'_>, _: &PutOptions) -> Result<Stored, PutError> {
        self.write(key, body).await.map_err(|error| match error {
            PutError::Fault(fault) => self.fullness.noting(fault).into(),
            PutError::Body(_) => error,
        })
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        let path = self.disk.path(key);
        if let Some((file, size)) = cached::open(&path) {
            return Ok(Some(Reader::new(file, range.unwrap_or(0..size)).into_stream()));
        }
        let opened = self.on_disk("reading", move |_| {
            let Some(file) = existing(File::open(path))? else { return Ok(None) };
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Ok(None);
            }
            Reader::new(file, range.unwrap_or(0..metadata.len())).first_piece().map(Some)
        });
        Ok(opened.await?.map(Reader::stream_from))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        let (path, key) = (self.disk.path(key), key.clone());
        let found = self.on_disk("looking up", move |_| {
            let metadata = existing(fs::metadata(path))?.filter(Metadata::is_file);
            metadata.map(|metadata| info(&key, &metadata)).transpose()
        });
        found.await
    }

    async fn copy(&self, from: &Key, to: &Key, _: &PutOptions) -> Result<bool, Fault> {
        let (from, to) = (self.disk.path(from), self.disk.path(to));
        let copied = self.on_disk("copying", move |disk| disk.copy(&from, &to)).await;
        copied.map_err(|fault| self.fullness.noting(fault))
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        let path = self.disk.path(key);
        self.on_disk("deleting", move |disk| disk.delete(&path)).await?;
        self.fullness.removed();
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        let listed =
            self.on_disk("listing", move |disk| listing::list(disk.folders.root(), &prefix, after.as_ref(), limit));
        listed.await
    }
}

/// The blocking half: what is done with files and folders.
struct Disk {
    folders: Folders,
    temp: TempFolder,
}

impl Disk {
    fn open(root: PathBuf) -> io::Result<Self> {
        create_private_dir(&root)?;
        let temp = TempFolder::create(&root)?;
        // Two keys, perhaps of two sandboxes, would be one file.
        if root.join(temp::TEMP.to_uppercase()).exists() {
            return Err(io::Error::other("the file system does not tell upper from lower case"));
        }
        Ok(Self { folders: Folders::new(root), temp })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folders.root().join(key.as_str())
    }

    fn append(&self, file: Option<TempFile>, batch: &Batch) -> io::Result<TempFile> {
        let mut file = match file {
            Some(file) => file,
            None => self.temp.file()?,
        };
        file.append(&batch.chunks)?;
        Ok(file)
    }

    /// Syncs a file and puts it in its place.
    fn publish(&self, file: TempFile, target: &Path) -> io::Result<()> {
        file.file.sync_data()?;
        self.folders.place(file.path.as_path(), target)?;
        file.path.moved();
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<bool> {
        let link = self.temp.path();
        match fs::hard_link(from, link.as_path()) {
            Ok(()) => {
                // The copy is stored now. Both links are one file, so the source seems younger too.
                let now = UNIX_EPOCH + Duration::from_millis(SystemClock.now().as_millis().unsigned_abs());
                File::open(link.as_path())?.set_modified(now)?;
                // When the target is a link to the same file already, renaming leaves both names: the
                // path is not `moved` but removed.
                self.folders.place(link.as_path(), to)?;
                Ok(true)
            }
            Err(error) if is_absent(&error) => Ok(false),
            // No links here, or too many of this file.
            Err(_) => self.copy_bytes(from, to),
        }
    }

    fn copy_bytes(&self, from: &Path, to: &Path) -> io::Result<bool> {
        let Some(mut source) = existing(File::open(from))? else { return Ok(false) };
        let mut copy = self.temp.file()?;
        io::copy(&mut source, &mut copy.file)?;
        self.publish(copy, to)?;
        Ok(true)
    }

    /// Not synced: a deletion that a crash of the machine undoes leaves bytes without a record, which
    /// are found and collected.
    fn delete(&self, path: &Path) -> io::Result<()> {
        match existing(fs::remove_file(path)) {
            Ok(Some(())) => path.parent().into_iter().for_each(|folder| self.folders.prune(folder)),
            Ok(None) => {}
            // The key of none, and the beginning of others.
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn info(key: &Key, metadata: &Metadata) -> io::Result<ObjectInfo> {
    let since_epoch = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let stored_at = Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    Ok(ObjectInfo { key: key.clone(), bytes: metadata.len(), stored_at, etag: None })
}

/// `None` for what is not there.
fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Runs `job` on the blocking pool, beginning now.
fn blocking<T, F>(operation: &'static str, job: F) -> impl Future<Output = Result<T, Fault>> + Send + use<T, F>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    let done = tokio::task::spawn_blocking(job);
    async move {
        match done.await {
            Ok(result) => result.map_err(|error| fault(operation, error)),
            Err(panicked) => Err(Fault::broken(NAME, operation, panicked)),
        }
    }
}

fn fault(operation: &'static str, error: io::Error) -> Fault {
    /// EMFILE and ENFILE: too many open files, in the process and in the system. They have no `ErrorKind`.
    const TOO_MANY_OPEN: [i32; 2] = [24, 23];
    let kind = match error.kind() {
        // The same for bytes and for inodes.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FaultKind::Full,
        _ if error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN.contains(&code)) => FaultKind::Unavailable,
        _ => FaultKind::Broken,
    };
    Fault { provider: NAME, operation, kind, source: Cause::from(error) }
}
