//! Entity tags and the conditions built on them (RFC 9110, sections 8.8.3 and 13).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::ApiError;
use crate::policy::Expectation;

/// `"tag"`, for an `ETag` field.
pub(super) fn quoted(tag: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The tags of `If-Match` or `If-None-Match`.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    List(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

/// What `If-Match` expects of an artifact that is to be changed. Weak tags never match.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Expectation, ApiError> {
    for other in [header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE] {
        // To ignore it would be to make a change that the caller did not want.
        if headers.contains_key(&other) {
            return Err(ApiError::field(other.as_str(), "cannot be a condition of a change; use If-Match"));
        }
    }
    Ok(match tags(headers, &header::IF_MATCH)? {
        None | Some(Tags::Any) => Expectation::Anything,
        Some(Tags::List(tags)) => {
            Expectation::AnyOf(tags.into_iter().filter(|tag| !tag.weak).map(|tag| tag.opaque).collect())
        }
    })
}

/// Whether `If-None-Match` says that the caller has `current` already (304). Weak comparison.
pub(super) fn is_known(headers: &HeaderMap, current: &str) -> Result<bool, ApiError> {
    Ok(match tags(headers, &header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::List(tags)) => tags.iter().any(|tag| tag.opaque == current),
    })
}

/// Whether `If-Range` lets a range be sent: it is absent or names `current` by a strong tag. A date
/// never does, as this service sends none to compare with.
pub(super) fn range_applies(headers: &HeaderMap, current: &str) -> bool {
    match headers.get(header::IF_RANGE) {
        None => true,
        Some(value) => value.to_str().is_ok_and(|text| text.trim() == format!("\"{current}\"")),
    }
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ApiError> {
    let mut list = Vec::new();
    let mut present = false;
    for value in headers.get_all(name) {
        present = true;
        let malformed = || ApiError::field(name.as_str(), "must be * or a list of entity tags such as \"abc\"");
        let text = value.to_str().map_err(|_| malformed())?.trim();
        if text == "*" {
            return Ok(Some(Tags::Any));
        }
        list.extend(parse_list(text).ok_or_else(malformed)?);
    }
    Ok(present.then_some(Tags::List(list)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn if_match_takes_lists_stars_and_bare_tags_but_no_weak_ones() {
        let expected = |value| if_match(&headers(header::IF_MATCH, value)).unwrap();
        let any_of = |tags: &[&str]| Expectation::AnyOf(tags.iter().map(ToString::to_string).collect());
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), Expectation::Anything);
        assert_eq!(expected("*"), Expectation::Anything);
        assert_eq!(expected("\"a\", \"b,c\""), any_of(&["a", "b,c"]));
        assert_eq!(expected("a"), any_of(&["a"]));
        assert_eq!(expected("W/\"a\""), any_of(&[]));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for value in ["", "\"a", "\"a\" \"b\"", "a b", "\"\"", ","] {
            assert!(if_match(&headers(header::IF_MATCH, value)).is_err(), "{value}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let known = |value| is_known(&headers(header::IF_NONE_MATCH, value), "a").unwrap();
        assert!(known("W/\"a\"") && known("\"b\", \"a\"") && known("*"));
        assert!(!known("\"b\""));
    }

    #[test]
    fn if_range_compares_strongly() {
        assert!(range_applies(&HeaderMap::new(), "a"));
        assert!(range_applies(&headers(header::IF_RANGE, "\"a\""), "a"));
        for value in ["W/\"a\"", "\"b\"", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert!(!range_applies(&headers(header::IF_RANGE, value), "a"), "{value}");
        }
    }
}
