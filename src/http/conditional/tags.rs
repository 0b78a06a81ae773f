//! Lists of entity tags (RFC 9110, section 8.8.3).

use axum::http::{HeaderMap, HeaderName};

use crate::http::error::ApiError;

/// The tags of `If-Match` or `If-None-Match`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tags {
    Any,
    List(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub weak: bool,
    pub opaque: String,
}

impl Tags {
    /// What a field holds; `None` when it is not there.
    pub(super) fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let mut list = Vec::new();
        let mut present = false;
        for value in headers.get_all(name) {
            present = true;
            let malformed = || ApiError::field(name.as_str(), "must be * or a list of entity tags such as \"abc\"");
            let text = value.to_str().map_err(|_| malformed())?.trim();
            if text == "*" {
                return Ok(Some(Self::Any));
            }
            list.extend(parse_list(text).ok_or_else(malformed)?);
        }
        Ok(present.then_some(Self::List(list)))
    }

    /// Whether `current` is among them; weak ones are not what they look like.
    pub(super) fn match_strongly(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| !tag.weak && tag.opaque == current),
        }
    }

    /// Whether `current` is among them, weak or not.
    pub(super) fn match_weakly(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| tag.opaque == current),
        }
    }
}

/// Reads `"a", W/"b"`. A tag without quotes is taken too: people copy it from the JSON.
fn parse_list(text: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (weak, tagged) = rest.strip_prefix("W/").map_or((false, rest), |tagged| (true, tagged));
        let (opaque, after) = match tagged.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => tagged.split_at(tagged.find(',').unwrap_or(tagged.len())),
        };
        let opaque = opaque.trim();
        if opaque.is_empty() || opaque.contains([' ', '"']) {
            return None;
        }
        tags.push(Tag { weak, opaque: opaque.to_owned() });
        rest = match after.trim_start() {
            "" => "",
            after => after.strip_prefix(',')?.trim_start(),
        };
    }
    (!tags.is_empty()).then_some(tags)
}
