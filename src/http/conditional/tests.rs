use super::*;

const SECOND: i64 = 1_792_567_680;
const DATE: &str = "Wed, 21 Oct 2026 07:28:00 GMT";
const BEFORE: &str = "Wed, 21 Oct 2026 07:27:59 GMT";

fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

/// A state with the tag `a` that came about within the second of `DATE`.
fn state(is_alone_in_its_second: bool) -> Validators {
    let at = Timestamp::from_millis(SECOND * 1000 + 700);
    Validators::new("a".to_owned(), Some(LastChange { at, is_alone_in_its_second }))
}

fn decide(fields: &[(HeaderName, &'static str)]) -> Option<Read> {
    state(true).decide(&headers(fields)).ok()
}

#[test]
fn if_match_takes_lists_stars_and_bare_tags_but_no_weak_ones() {
    let any_of = |value| expectation(&headers(&[(header::IF_MATCH, value)])).unwrap().any_of;
    let tags = |tags: &[&str]| Some(tags.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(expectation(&HeaderMap::new()).unwrap(), Expectation::default());
    assert_eq!(any_of("*"), None);
    assert_eq!(any_of("\"a\", \"b,c\""), tags(&["a", "b,c"]));
    assert_eq!(any_of("a"), tags(&["a"]));
    assert_eq!(any_of("W/\"a\""), tags(&[]));
}

#[test]
fn malformed_lists_are_refused() {
    for value in ["", "\"a", "\"a\" \"b\"", "a b", "\"\"", ","] {
        for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
            assert!(expectation(&headers(&[(name.clone(), value)])).is_err(), "{name}: {value}");
            assert!(state(true).decide(&headers(&[(name, value)])).is_err(), "{value}");
        }
    }
}

#[test]
fn a_change_may_depend_on_a_date_unless_it_names_tags() {
    let since = |fields: &[_]| expectation(&headers(fields)).unwrap().unmodified_since;
    assert_eq!(since(&[(header::IF_UNMODIFIED_SINCE, DATE)]), Some(Timestamp::from_millis(SECOND * 1000)));
    assert_eq!(since(&[(header::IF_UNMODIFIED_SINCE, DATE), (header::IF_MATCH, "\"a\"")]), None);
    assert_eq!(since(&[(header::IF_UNMODIFIED_SINCE, DATE), (header::IF_MATCH, "*")]), None);
    assert_eq!(since(&[(header::IF_UNMODIFIED_SINCE, "yesterday")]), None);
}

#[test]
fn conditions_count_in_the_order_of_the_rfc() {
    let (wanted, known, failed) = (Some(Read::Wanted), Some(Read::Known), None);
    for (fields, expected) in [
        (&[][..], wanted),
        (&[(header::IF_MATCH, "\"a\"")], wanted),
        (&[(header::IF_MATCH, "*")], wanted),
        (&[(header::IF_MATCH, "\"b\"")], failed),
        (&[(header::IF_MATCH, "W/\"a\"")], failed),
        (&[(header::IF_UNMODIFIED_SINCE, DATE)], wanted),
        (&[(header::IF_UNMODIFIED_SINCE, BEFORE)], failed),
        (&[(header::IF_UNMODIFIED_SINCE, "yesterday")], wanted),
        // What If-Match says is not questioned by a date.
        (&[(header::IF_MATCH, "\"a\""), (header::IF_UNMODIFIED_SINCE, BEFORE)], wanted),
        (&[(header::IF_MATCH, "\"b\""), (header::IF_UNMODIFIED_SINCE, DATE)], failed),
        (&[(header::IF_NONE_MATCH, "\"a\"")], known),
        (&[(header::IF_NONE_MATCH, "W/\"a\"")], known),
        (&[(header::IF_NONE_MATCH, "\"b\", \"a\"")], known),
        (&[(header::IF_NONE_MATCH, "*")], known),
        (&[(header::IF_NONE_MATCH, "\"b\"")], wanted),
        (&[(header::IF_MODIFIED_SINCE, DATE)], known),
        (&[(header::IF_MODIFIED_SINCE, "Wednesday, 21-Oct-26 07:28:00 GMT")], known),
        (&[(header::IF_MODIFIED_SINCE, "Wed Oct 21 07:28:00 2026")], known),
        (&[(header::IF_MODIFIED_SINCE, BEFORE)], wanted),
        (&[(header::IF_MODIFIED_SINCE, "yesterday")], wanted),
        (&[(header::IF_MODIFIED_SINCE, DATE), (header::IF_MODIFIED_SINCE, DATE)], wanted),
        (&[(header::IF_NONE_MATCH, "\"b\""), (header::IF_MODIFIED_SINCE, DATE)], wanted),
        (&[(header::IF_NONE_MATCH, "\"a\""), (header::IF_MODIFIED_SINCE, BEFORE)], known),
        // First whether the state is the expected one, then whether it has to be sent.
        (&[(header::IF_MATCH, "\"b\""), (header::IF_NONE_MATCH, "\"a\"")], failed),
        (&[(header::IF_MATCH, "\"a\""), (header::IF_NONE_MATCH, "\"a\"")], known),
    ] {
        assert_eq!(decide(fields), expected, "{fields:?}");
    }
}

#[test]
fn without_a_date_of_its_own_a_state_is_compared_with_none() {
    let state = Validators::new("a".to_owned(), None);
    for name in [header::IF_UNMODIFIED_SINCE, header::IF_MODIFIED_SINCE] {
        assert_eq!(state.decide(&headers(&[(name, BEFORE)])).ok(), Some(Read::Wanted));
    }
    assert!(!state.range_applies(&headers(&[(header::IF_RANGE, DATE)])));
}

#[test]
fn if_range_compares_strongly() {
    let applies = |alone, value| state(alone).range_applies(&headers(&[(header::IF_RANGE, value)]));
    assert!(state(true).range_applies(&HeaderMap::new()));
    assert!(applies(true, "\"a\"") && applies(false, "\"a\""));
    assert!(applies(true, DATE));
    assert!(!applies(false, DATE), "there may have been another state within this second");
    for value in ["W/\"a\"", "\"b\"", "a", BEFORE, "Wed, 21 Oct 2026 07:28:01 GMT", "yesterday", ""] {
        assert!(!applies(true, value), "{value}");
    }
}

#[test]
fn a_state_tells_its_tag_and_date() {
    let mut fields = HeaderMap::new();
    state(true).write_to(&mut fields);
    assert_eq!(
        (&fields[header::ETAG], &fields[header::LAST_MODIFIED]),
        (&quoted("a"), &HeaderValue::from_static(DATE))
    );
    Validators::new("a".to_owned(), Some(LastChange { at: Timestamp::MAX, is_alone_in_its_second: true }))
        .write_to(&mut fields);
    assert_eq!(fields[header::LAST_MODIFIED], "Fri, 01 Jan 9999 00:00:00 GMT");
}
