//! The log as JSON, one object per line.
//!
//! The formatter that comes with `tracing-subscriber` reads back and writes anew, for every line, what it has noted of
//! the span around it. This one notes that as it will be printed: with the other one, a line took a third of the time of a
//! small request.

use std::fmt::{self, Display, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields as `,"name":value`, each with its comma.
pub(super) struct JsonFields;

impl<'w> FormatFields<'w> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut members = Members { writer, outcome: Ok(()) };
        fields.record(&mut members);
        members.outcome
    }
}

/// `{"timestamp":…,"level":…,` the fields of the event `,"target":…,"span":{"name":…,` the fields of the span `}}`.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // Of what comes through the `log` crate, the true level and target are in fields.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level())?;
        context.format_fields(writer.by_ref(), event)?;
        write!(writer, ",\"target\":{}", Quoted(metadata.target()))?;
        if let Some(span) = context.lookup_current() {
            write!(writer, ",\"span\":{{\"name\":{}", Quoted(span.name()))?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

struct Members<'w> {
    writer: Writer<'w>,
    outcome: fmt::Result,
}

impl Members<'_> {
    fn add(&mut self, field: &Field, value: impl Display) {
        // What the `log` crate adds is told as level and target.
        if self.outcome.is_ok() && !field.name().starts_with("log.") {
            self.outcome = write!(self.writer, ",{}:{value}", Quoted(field.name()));
        }
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.add(field, value) } else { self.add(field, "null") }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Quoted(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Quoted(format_args!("{value:?}")));
    }
}

/// A text as a JSON string (RFC 8259, section 7).
struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped(f), "{}", self.0)?;
        f.write_char('"')
    }
}

struct Escaped<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some(at) = text.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            // All three kinds are single bytes, so both cuts are between characters.
            let (plain, rest) = text.split_at(at);
            self.0.write_str(plain)?;
            match rest.as_bytes()[0] {
                b'\n' => self.0.write_str("\\n")?,
                byte @ (b'"' | b'\\') => write!(self.0, "\\{}", char::from(byte))?,
                byte => write!(self.0, "\\u{byte:04x}")?,
            }
            text = &rest[1..];
        }
        self.0.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tracing::{field, info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields)
            .event_format(JsonLine)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(buffer.0.lock().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_the_event_and_of_the_span_around_it() {
        let lines = lines(|| {
            let span = info_span!("request", method = %"GET", user = field::Empty, session = field::Empty);
            span.record("user", "alice");
            span.in_scope(|| info!(status = 200_u16, milliseconds = 0.25, cause = None::<&str>, "answered"));
            info!("outside");
        });
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!((&lines[0]["status"], &lines[0]["milliseconds"]), (&json!(200), &json!(0.25)));
        assert_eq!(lines[0]["message"], "answered");
        assert_eq!(lines[0]["span"], json!({ "name": "request", "method": "GET", "user": "alice" }));
        assert!(lines[0]["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert_eq!((&lines[1]["message"], lines[1].get("span")), (&json!("outside"), None));
    }

    #[test]
    fn no_value_breaks_out_of_its_line() {
        let odd = "\"},\n\r\t\\ \u{1} é \u{1f600}";
        let lines = lines(|| {
            let _span = info_span!("odd", user = odd).entered();
            info!(text = odd, debug = ?odd, number = f64::NAN, "{odd}");
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        for value in [&line["text"], &line["message"], &line["span"]["user"]] {
            assert_eq!(value, odd);
        }
        assert_eq!((&line["debug"], &line["number"]), (&json!(format!("{odd:?}")), &Value::Null));
    }
}
