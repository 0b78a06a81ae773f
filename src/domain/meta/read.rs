//! Reading metadata from JSON text, with bounds on what it takes and nothing changed on the way.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{MAX_META_DEPTH, MAX_META_ELEMENTS};
use crate::domain::Invalid;

/// The members of the JSON object that `text` is.
pub(super) fn read(text: &str) -> Result<Map<String, Value>, Invalid> {
    let left = Cell::new(MAX_META_ELEMENTS);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Element { left: &left, depth: 0 }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    // After the syntax, of which the search for numbers thinks nothing.
    match value.map_err(|error| Invalid::from(format!("must be JSON that can be kept: {error}")))? {
        Value::Object(members) => numbers_are_kept(text).map(|()| members),
        _ => Err(Invalid::new("must be a JSON object")),
    }
}

/// Reads one value. All that are read together take from the same `left`.
#[derive(Clone, Copy)]
struct Element<'a> {
    left: &'a Cell<usize>,
    depth: usize,
}

impl Element<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_META_DEPTH {
            return Err(E::custom(format!("it nests more than {MAX_META_DEPTH} levels deep")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        let too_many = || D::Error::custom(format!("it has more than {MAX_META_ELEMENTS} values"));
        self.left.set(left.ok_or_else(too_many)?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (inner, mut values) = (self.inner()?, Vec::new());
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (inner, mut map) = (self.inner()?, Map::new());
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("the member {name:?} is given twice")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// Fails when a number of `text`, which is JSON, would be another one when it is read again (RFC 8259, section 6).
fn numbers_are_kept(text: &str) -> Result<(), Invalid> {
    let mut rest = text;
    // Outside of strings, digits are parts of numbers, and these begin with one or with a minus.
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        rest = match rest.strip_prefix('"') {
            Some(string) => after_string(string),
            None => {
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
                let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
                if !is_kept(number) {
                    let problem = "has a number that no 64-bit integer or double holds exactly; send it as text";
                    return Err(Invalid::new(problem));
                }
                after
            }
        };
    }
    Ok(())
}

/// What comes behind the end of a string whose beginning was taken.
fn after_string(mut text: &str) -> &str {
    while let Some(at) = text.find(['"', '\\']) {
        let is_escape = text.as_bytes()[at] == b'\\';
        text = text.get(at + 1 + usize::from(is_escape)..).unwrap_or_default();
        if !is_escape {
            return text;
        }
    }
    ""
}

fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let read = number.parse::<f64>().ok().filter(|value| value.is_finite());
    read.is_some_and(|value| Decimal::of(number) == Decimal::of(&format!("{value:e}")))
}

/// A number as its digits without zeros at either end, and the power of ten of the last of them.
#[derive(PartialEq)]
struct Decimal {
    digits: String,
    power: i64,
}

impl Decimal {
    fn of(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_start_matches('0').to_owned();
        let exponent: i64 = exponent.parse().ok()?;
        let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        // Zero has no digits, and is the same at every power.
        let power = if digits.is_empty() { 0 } else { power };
        Some(Self { digits, power })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn numbers_are_kept_as_they_are_or_refused() {
        for number in [
            "0",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "100.0",
            "1e3",
            "1.50E-7",
            "-0",
            "0.0",
            "1e22",
            "123456789012345680000",
            "5e-324",
            "0.30000000000000004",
        ] {
            let members = read(&format!("{{\"n\":[{number},{number}]}}")).unwrap();
            assert_eq!(members["n"][0].as_f64(), number.parse().ok(), "{number}");
        }
        for number in [
            "18446744073709551616",
            "123456789012345678901234567890",
            "0.1234567890123456789",
            "1e400",
            "1e-400",
            "1.00000000000000001",
        ] {
            refusal(&format!("{{\"n\":{number}}}"));
        }
        // In texts there are no numbers.
        read(r#"{"1e400":"123456789012345678901234567890 \" 1e400 \\","x":"\"1e999"}"#).unwrap();
        assert!(refusal(r#"{"x":"\\","n":1e400}"#).contains("number"));
    }

    #[test]
    fn a_member_that_is_given_twice_is_refused_at_every_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#, r#"{"a":1,"\u0061":1}"#] {
            assert!(refusal(text).contains("\"a\" is given twice"), "{text}");
        }
        read(r#"{"a":{"a":{"a":[]}}}"#).unwrap();
    }

    #[test]
    fn what_it_takes_as_values_is_bounded_while_it_is_read() {
        let many = format!("{{\"x\":[{}]}}", vec!["{\"a\":0}"; MAX_META_ELEMENTS / 2].join(","));
        assert!(refusal(&many).contains("values"));
        let nested = |levels| format!("{}0{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        read(&nested(MAX_META_DEPTH)).unwrap();
        assert!(refusal(&nested(MAX_META_DEPTH + 1)).contains("levels"));
    }

    #[test]
    fn only_one_json_object_is_taken() {
        for text in ["", "null", "[]", "1", "\"x\"", "{", "{} {}", "{\"a\":01}", "{'a':1}"] {
            refusal(text);
        }
        assert!(read(" {} ").unwrap().is_empty());
    }
}
