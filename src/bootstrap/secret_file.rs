//! Secrets that are generated when none is configured.

use std::io::{self, Write as _};
use std::path::Path;

use super::StartError;
use crate::files::{Folder, create_private_dir};
use crate::secret::Secret;

/// The file with the secret of tokens.
pub(super) const TOKENS: &str = "jwt-secret";

/// The file with the secret of URLs and cursors.
pub(super) const URLS: &str = "url-signing.key";

/// The secret in the file `name` in `folder`, made if there is none. Processes that start together agree on one.
pub(super) fn read_or_generate(folder: &Path, name: &str) -> Result<Secret, StartError> {
    let path = folder.join(name);
    read(&path)
        .and_then(|found| match found {
            Some(secret) => Ok(secret),
            None => generate(folder, name),
        })
        .map_err(|source| StartError::SecretFile { path: path.display().to_string(), source })
}

fn read(path: &Path) -> io::Result<Option<Secret>> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 32 => Ok(Some(Secret::from(text.trim().to_owned()))),
        Ok(_) => Err(io::Error::other("it has fewer than 32 bytes; remove it to have a new one made")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn generate(folder: &Path, name: &str) -> io::Result<Secret> {
    create_private_dir(folder)?;
    let path = folder.join(name);
    let bytes: [u8; 32] = rand::random();
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = folder.join(format!("{name}.{:032x}", rand::random::<u128>()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let data = Folder::open(folder)?;
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // A link, unlike a rename, does not replace the secret of a process that was faster.
    let linked = std::fs::hard_link(&draft, &path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => {
            // What is signed with it must not be worthless after a crash of the machine.
            data.sync()?;
            read(&path)?.ok_or_else(|| io::Error::other("it was removed while it was read"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = read_or_generate(&data, TOKENS).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert_eq!(read_or_generate(&data, TOKENS).unwrap(), first);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(TOKENS))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn each_file_has_a_secret_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |name| read_or_generate(folder.path(), name).unwrap();
        assert_ne!(secret(TOKENS), secret(URLS));
        assert_eq!(secret(URLS), secret(URLS));
    }

    #[test]
    fn a_secret_that_was_cut_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(TOKENS), "short").unwrap();
        assert!(read_or_generate(folder.path(), TOKENS).is_err());
    }
}
