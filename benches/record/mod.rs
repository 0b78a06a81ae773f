//! Records such as a service would hold after some use, for benchmarks. All belong to users; none has bytes.

use std::error::Error;

use artifactd::domain::artifact::{Artifact, Content, Description, UploadedVia};
use artifactd::domain::digest::Sha256Digest;
use artifactd::domain::grid::FIRST_REVISION;
use artifactd::domain::id::{ArtifactId, UserId};
use artifactd::domain::meta::Meta;
use artifactd::domain::scope::Partition;
use artifactd::domain::time::Timestamp;

const TYPES: [(&str, &str); 2] = [("pdf", "application/pdf"), ("png", "image/png")];
const QUARTERS: [&str; 4] = ["Q1", "Q2", "Q3", "Q4"];
const SUBJECTS: [&str; 5] = ["forecast", "invoice", "minutes", "report", "review"];

/// The `number`th artifact of `user`, stored at `stored_at`. Half of them are of either type, a quarter of each
/// quarter and a fifth on each subject, in all combinations.
pub(crate) fn record(
    user: &UserId,
    number: u64,
    stored_at: Timestamp,
    random: [u8; 10],
) -> Result<Artifact, Box<dyn Error>> {
    let partition = Partition::User { sandbox: "default".parse()?, user: user.clone() };
    let (extension, mime) = choose(&TYPES, number);
    let quarter = choose(&QUARTERS, number / 2);
    let subject = choose(&SUBJECTS, number / 8);
    let project = format!("p{}", number / 40 % 100);
    Ok(Artifact {
        id: partition.adopt(ArtifactId::new(stored_at, random)),
        partition,
        session: None,
        owner: Some(user.clone()),
        description: Description {
            mime: mime.parse()?,
            filename: Some(format!("{project}/{subject}-{number:08}.{extension}").parse()?),
            summary: format!("{subject} of {quarter}").parse()?,
            meta: Meta::default().with("quarter", quarter).with("project", project),
        },
        content: Content {
            revision: FIRST_REVISION,
            bytes: number * 7919 % 1_000_000,
            sha256: Some(Sha256Digest::new([0xab; 32])),
            store_etag: None,
            provider: "filesystem".to_owned(),
            utf8: false,
        },
        last_revision: FIRST_REVISION,
        stored_at,
        updated_at: stored_at,
        life: None,
        uploaded_via: UploadedVia::Direct,
        edits: 0,
        version: 1,
    })
}

fn choose<T: Copy, const N: usize>(choices: &[T; N], number: u64) -> T {
    choices[usize::try_from(number % N as u64).unwrap_or(0)]
}
