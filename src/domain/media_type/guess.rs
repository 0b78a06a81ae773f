//! What bytes are that came without a media type: their name may tell, or how they begin.

use super::MediaType;
use crate::domain::filename::Filename;

/// How many bytes from the beginning are looked at.
pub const BEGINNING_BYTES: usize = 4096;

/// Endings that the table of `mime_guess` lacks, calls plain text or gives to something rarer: code and data are stored
/// here more often than MPEG transport streams.
const BY_ENDING: &[(&str, &str)] = &[
    ("arrow", "application/vnd.apache.arrow.file"),
    ("arrows", "application/vnd.apache.arrow.stream"),
    ("avro", "application/vnd.apache.avro"),
    ("cts", "text/typescript"),
    ("gguf", "application/x-gguf"),
    ("go", "text/x-go"),
    ("ipynb", "application/x-ipynb+json"),
    ("java", "text/x-java"),
    ("jsonl", "application/jsonl"),
    ("jsx", "text/jsx"),
    ("kt", "text/x-kotlin"),
    ("lock", "text/plain"),
    ("mdx", "text/mdx"),
    ("mts", "text/typescript"),
    ("ndjson", "application/x-ndjson"),
    ("npy", "application/x-npy"),
    ("npz", "application/x-npz"),
    ("onnx", "application/x-onnx"),
    ("orc", "application/vnd.apache.orc"),
    ("proto", "text/x-protobuf"),
    ("py", "text/x-python"),
    ("rb", "text/x-ruby"),
    ("safetensors", "application/x-safetensors"),
    ("svelte", "text/x-svelte"),
    ("swift", "text/x-swift"),
    ("toml", "application/toml"),
    ("ts", "text/typescript"),
    ("tsx", "text/tsx"),
    ("vue", "text/x-vue"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zst", "application/zstd"),
];

impl MediaType {
    /// The media type that a name speaks for, by its ending.
    pub fn by_name(filename: &Filename) -> Option<Self> {
        let (_, ending) = filename.base_name().rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        let known = BY_ENDING.binary_search_by_key(&ending.as_str(), |(known, _)| known).ok();
        match known {
            Some(known) => BY_ENDING[known].1.parse().ok(),
            None => mime_guess::from_ext(&ending).first_raw()?.parse().ok(),
        }
    }

    /// The media type that bytes speak for which begin so. Text is not told from other text: what looks like HTML may be
    /// anything, and must not become a page by a guess.
    pub fn by_beginning(bytes: &[u8]) -> Option<Self> {
        let kind = infer::get(bytes).filter(|kind| kind.matcher_type() != infer::MatcherType::Text)?;
        kind.mime_type().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_can_be_searched_and_give_media_types() {
        assert!(BY_ENDING.is_sorted_by_key(|(ending, _)| ending));
        assert!(BY_ENDING.iter().all(|(_, mime)| mime.parse::<MediaType>().is_ok()));
    }

    #[test]
    fn the_ending_of_a_name_tells_code_and_data_as_well_as_pictures() {
        let guess = |name: &str| MediaType::by_name(&name.parse().unwrap()).map(|mime| mime.to_string());
        for (name, mime) in [
            ("app.ts", "text/typescript"),
            ("src/App.TSX", "text/tsx"),
            ("main.go", "text/x-go"),
            ("train.jsonl", "application/jsonl"),
            ("notes.ipynb", "application/x-ipynb+json"),
            ("README.md", "text/markdown"),
            ("table.parquet", "application/vnd.apache.parquet"),
            ("model.safetensors", "application/x-safetensors"),
            ("photo.jpg", "image/jpeg"),
        ] {
            assert_eq!(guess(name).as_deref(), Some(mime), "{name}");
        }
        for name in ["README", "ts", ".env", "folder.ts/file"] {
            assert_eq!(guess(name), None, "{name}");
        }
    }

    #[test]
    fn pictures_and_documents_are_known_by_how_they_begin_and_text_is_not() {
        let guess = |bytes: &[u8]| MediaType::by_beginning(bytes).map(|mime| mime.to_string());
        assert_eq!(guess(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").as_deref(), Some("image/png"));
        assert_eq!(guess(b"%PDF-1.7\n").as_deref(), Some("application/pdf"));
        for text in [&b"<!DOCTYPE html><script>"[..], b"#!/bin/sh\n", b"<?xml version=\"1.0\"?>", b"hello", b""] {
            assert_eq!(guess(text), None);
        }
    }
}
