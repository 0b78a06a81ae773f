//! `Content-Disposition` (RFC 6266) with names in any script (RFC 8187).

use axum::http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::artifact::Artifact;
use crate::domain::filename::Filename;

/// What a browser does with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Disposition {
    /// Save it.
    #[default]
    Attachment,
    /// Show it.
    Inline,
}

impl std::str::FromStr for Disposition {
    type Err = crate::domain::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "attachment" => Ok(Self::Attachment),
            "inline" => Ok(Self::Inline),
            _ => Err(crate::domain::Invalid::new("must be attachment or inline")),
        }
    }
}

/// The characters of `attr-char` in RFC 8187 stay as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The field's value for an artifact.
pub(super) fn of(artifact: &Artifact, disposition: Disposition) -> HeaderValue {
    field(disposition, artifact.description.filename.as_ref().map(Filename::download_name).as_deref())
}

/// The field's value as text; it is always ASCII.
pub(super) fn text(field: &HeaderValue) -> String {
    field.to_str().unwrap_or("attachment").to_owned()
}

/// The field's value. Clients that know only ASCII get an approximation of the name first.
fn field(disposition: Disposition, name: Option<&str>) -> HeaderValue {
    let kind = match disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    let value = match name {
        None => kind.to_owned(),
        Some(name) => {
            let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
            if plain == name {
                format!("{kind}; filename=\"{name}\"")
            } else {
                format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED))
            }
        }
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Safe between quotes for every client; `%` is not, as some decode it.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '"' | '\\' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_in_any_script() {
        let value = |name| field(Disposition::Attachment, Some(name)).to_str().unwrap().to_owned();
        assert_eq!(value("a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(value("naïve.txt"), "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt");
        assert_eq!(value("a\"b.txt"), "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt");
        assert_eq!(value("😀"), "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80");
        assert_eq!(field(Disposition::Inline, None), "inline");
    }
}
