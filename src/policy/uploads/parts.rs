//! Which parts make a whole.

use std::collections::BTreeMap;

use super::Error;
use crate::domain::part::{MAX_OBJECT_BYTES, MIN_PART_BYTES, PartNumber};
use crate::storage::{BodyError, Part};

/// A part as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub number: PartNumber,
    /// The entity tag that the answer to its upload had, without quotes.
    pub etag: String,
}

/// The parts that a caller lists, if they are all that have arrived and make a whole: numbered from 1 without
/// a gap, and large enough. Their size together comes with them.
pub(super) fn choose(
    listed: &[CompletedPart],
    arrived: Vec<Part>,
    part_size: Option<u64>,
) -> Result<(Vec<Part>, u64), Error> {
    check_order(listed)?;
    let mut arrived: BTreeMap<PartNumber, Part> = arrived.into_iter().map(|part| (part.number, part)).collect();
    let mut chosen = Vec::with_capacity(listed.len());
    for CompletedPart { number, etag } in listed {
        let part = arrived.remove(number).ok_or_else(|| incomplete(format!("part {number} has not arrived")))?;
        if part.etag != *etag {
            let problem = format!("part {number} has arrived with the entity tag {}, not the one given", part.etag);
            return Err(incomplete(problem));
        }
        chosen.push(part);
    }
    if let Some(number) = arrived.keys().next() {
        return Err(invalid(format!("must list part {number}, which has arrived")));
    }
    check_sizes(&chosen, part_size)?;
    let bytes = chosen.iter().map(|part| part.bytes).sum();
    if bytes > MAX_OBJECT_BYTES {
        return Err(BodyError::TooLarge { limit: MAX_OBJECT_BYTES }.into());
    }
    Ok((chosen, bytes))
}

fn check_order(listed: &[CompletedPart]) -> Result<(), Error> {
    if listed.is_empty() {
        return Err(invalid("must not be empty".to_owned()));
    }
    for (expected, part) in (1_u32..).zip(listed) {
        let number = u32::from(part.number);
        if number > expected {
            return Err(invalid(format!(
                "must be in order and without a gap: part {expected} is missing before {number}"
            )));
        }
        if number < expected {
            return Err(invalid(format!("must be in order, each once: part {number} comes again or too late")));
        }
    }
    Ok(())
}

fn check_sizes(parts: &[Part], part_size: Option<u64>) -> Result<(), Error> {
    let Some((last, others)) = parts.split_last() else { return Ok(()) };
    if let Some(Part { number, .. }) = parts.iter().find(|part| part.bytes == 0) {
        return Err(invalid(format!("must not be empty: part {number} is")));
    }
    for Part { number, bytes, .. } in others {
        match part_size {
            Some(size) if *bytes != size => {
                return Err(invalid(format!("must have the part_size {size}: part {number} has {bytes} bytes")));
            }
            None if *bytes < MIN_PART_BYTES => {
                let problem = format!("must have {MIN_PART_BYTES} bytes or more, but for the last");
                return Err(invalid(format!("{problem}: part {number} has {bytes}")));
            }
            _ => {}
        }
    }
    match part_size {
        Some(size) if last.bytes > size => Err(invalid(format!(
            "must have at most the part_size {size}: part {} has {} bytes",
            last.number, last.bytes
        ))),
        _ => Ok(()),
    }
}

fn invalid(reason: String) -> Error {
    Error::invalid("parts", reason)
}

fn incomplete(problem: String) -> Error {
    Error::UploadIncomplete(problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn listed(parts: &[(u32, &str)]) -> Vec<CompletedPart> {
        let part =
            |&(number, etag): &(u32, &str)| CompletedPart { number: number.try_into().unwrap(), etag: etag.to_owned() };
        parts.iter().map(part).collect()
    }

    fn arrived(parts: &[(u32, u64)]) -> Vec<Part> {
        let part = |&(number, bytes): &(u32, u64)| Part {
            number: number.try_into().unwrap(),
            bytes,
            etag: format!("etag-{number}"),
            stored_at: Timestamp::from_millis(0),
        };
        parts.iter().map(part).collect()
    }

    fn refusal(parts: &[(u32, &str)], there: &[(u32, u64)], part_size: Option<u64>) -> String {
        choose(&listed(parts), arrived(there), part_size).unwrap_err().to_string()
    }

    const FULL: u64 = MIN_PART_BYTES;
    const THREE: [(u32, &str); 3] = [(1, "etag-1"), (2, "etag-2"), (3, "etag-3")];

    #[test]
    fn all_parts_that_arrived_make_the_whole() {
        let there = [(3, 1), (1, FULL), (2, FULL + 1)];
        let (chosen, bytes) = choose(&listed(&THREE), arrived(&there), None).unwrap();
        assert_eq!(chosen.iter().map(|part| u32::from(part.number)).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(bytes, 2 * FULL + 2);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said_of_the_part() {
        let there = [(1, FULL), (2, FULL), (3, 1)];
        assert!(refusal(&[], &there, None).contains("must not be empty"));
        assert!(refusal(&[(1, "etag-1"), (3, "etag-3")], &there, None).contains("part 2 is missing"));
        assert!(refusal(&[(2, "etag-2")], &there, None).contains("part 1 is missing"));
        assert!(refusal(&[(1, "etag-1"), (1, "etag-1")], &there, None).contains("part 1 comes again"));
        assert!(refusal(&[(1, "etag-1"), (2, "etag-2"), (1, "etag-1")], &there, None).contains("part 1 comes again"));
        assert!(refusal(&THREE[..2], &there, None).contains("must list part 3"));
        assert!(refusal(&THREE, &there[..2], None).contains("part 3 has not arrived"));
        assert!(
            refusal(&[(1, "other"), (2, "etag-2"), (3, "etag-3")], &there, None).contains("part 1 has arrived with")
        );
        assert!(refusal(&THREE, &[(1, FULL), (2, FULL - 1), (3, 1)], None).contains("part 2 has 5242879"));
        assert!(refusal(&THREE, &[(1, FULL), (2, FULL), (3, 0)], None).contains("must not be empty: part 3"));
    }

    #[test]
    fn parts_have_the_size_that_was_agreed_on() {
        assert!(choose(&listed(&THREE), arrived(&[(1, 2 * FULL), (2, 2 * FULL), (3, 7)]), Some(2 * FULL)).is_ok());
        assert!(refusal(&THREE, &[(1, 2 * FULL), (2, FULL), (3, 7)], Some(2 * FULL)).contains("part 2 has"));
        assert!(refusal(&THREE, &[(1, FULL), (2, FULL), (3, FULL + 1)], Some(FULL)).contains("part 3 has"));
    }
}
