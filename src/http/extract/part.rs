//! What the header fields of a form's part say of its file (RFC 7578), in all the ways in which clients write it.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_DISPOSITION;
use encoding_rs::{UTF_8, WINDOWS_1252};
use percent_encoding::percent_decode;

use crate::http::error::ApiError;

/// The name of the part's file: `filename*` (RFC 8187) rather than `filename`, which may be UTF-8, Latin-1 or encoded
/// words (RFC 2047). An empty one is none.
pub(super) fn filename(headers: &HeaderMap) -> Option<String> {
    let field = headers.get(CONTENT_DISPOSITION)?.as_bytes();
    let mut plain = None;
    for (name, value) in Parameters(field) {
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"filename*")
            && let Some(extended) = extended(&value)
        {
            return Some(extended).filter(|name| !name.is_empty());
        }
        if name.eq_ignore_ascii_case(b"filename") {
            plain = plain.or_else(|| Some(decoded(&value)));
        }
    }
    plain.filter(|name| !name.is_empty())
}

/// Bytes are kept as they come: a part that is encoded for mail would be kept in its coding.
pub(super) fn refuse_transfer_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let plain =
        |coding: &[u8]| [&b"7bit"[..], b"8bit", b"binary"].iter().any(|known| coding.eq_ignore_ascii_case(known));
    match headers.get_all("content-transfer-encoding").iter().all(|value| plain(value.as_bytes().trim_ascii())) {
        true => Ok(()),
        false => Err(ApiError::UnsupportedMediaType(
            "the Content-Transfer-Encoding of a part is not supported; send its bytes as they are",
        )),
    }
}

/// `charset'language'percent-encoded`; `None` for what is none or in another charset than RFC 8187 demands.
fn extended(value: &[u8]) -> Option<String> {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let bytes: Cow<'_, [u8]> = percent_decode(text).into();
    match encoding_rs::Encoding::for_label(charset)? {
        charset if charset == UTF_8 || charset == WINDOWS_1252 => {
            charset.decode_without_bom_handling_and_without_replacement(&bytes).map(Cow::into_owned)
        }
        _ => None,
    }
}

fn decoded(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if text.contains("=?") && text.contains("?=") => {
            rfc2047_decoder::decode(value).unwrap_or_else(|_| text.to_owned())
        }
        Ok(text) => text.to_owned(),
        // Every byte is a character of it.
        Err(_) => WINDOWS_1252.decode_without_bom_handling(value).0.into_owned(),
    }
}

/// The parameters of a field such as `form-data; name="file"; filename="a;b.txt"`: names and values.
struct Parameters<'a>(&'a [u8]);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.0.iter().position(|byte| *byte == b';')? + 1;
        let rest = &self.0[begin..];
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(value) = after.strip_prefix(b"=") else {
            self.0 = after;
            return Some((name, Cow::Borrowed(&[])));
        };
        let value = value.trim_ascii_start();
        let Some(quoted) = value.strip_prefix(b"\"") else {
            let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
            self.0 = &value[end..];
            return Some((name, Cow::Borrowed(value[..end].trim_ascii_end())));
        };
        let mut text = Vec::new();
        let mut bytes = quoted.iter().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.0 = &quoted[at..];
                    return Some((name, Cow::Owned(text)));
                }
                // Some send the path of a file with its backslashes as they are: only these two are escaped.
                b'\\' if matches!(bytes.peek(), Some((_, b'"' | b'\\'))) => {
                    text.extend(bytes.next().map(|(_, byte)| *byte))
                }
                byte => text.push(*byte),
            }
        }
        self.0 = &[];
        Some((name, Cow::Owned(text)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn name_in(parameters: &[u8]) -> Option<String> {
        let field = [b"form-data; name=\"file\"", parameters].concat();
        filename(&HeaderMap::from_iter([(CONTENT_DISPOSITION, HeaderValue::from_bytes(&field).unwrap())]))
    }

    #[test]
    fn names_are_read_in_every_way_in_which_clients_write_them() {
        for (parameters, name) in [
            (&b"; filename=\"a.txt\""[..], "a.txt"),
            (b"; filename=a.txt; x=y", "a.txt"),
            (b"; FileName = \"a.txt\"", "a.txt"),
            (b"; filename=\"a;b=\\\"c\\\".txt\"", "a;b=\"c\".txt"),
            (b"; filename=\"docs\\\\a.txt\"", "docs\\a.txt"),
            (b"; filename=\"docs\\a.txt\"", "docs\\a.txt"),
            ("; filename=\"naïve 報告.txt\"".as_bytes(), "naïve 報告.txt"),
            (b"; filename=\"na\xefve \x80.txt\"", "naïve €.txt"),
            (b"; filename=\"=?UTF-8?B?bmHDr3ZlLnR4dA==?=\"", "naïve.txt"),
            (b"; filename=\"=?iso-8859-1?Q?na=EFve.txt?=\"", "naïve.txt"),
            (b"; filename=\"fallback.txt\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
            (b"; filename*=utf-8'en'na%C3%AFve.txt; filename=\"fallback.txt\"", "naïve.txt"),
            (b"; filename*=iso-8859-1''na%EFve.txt", "naïve.txt"),
            (b"; filename=\"fallback.txt\"; filename*=koi8-r''%C1", "fallback.txt"),
            (b"; filename=\"fallback.txt\"; filename*=UTF-8''%FF", "fallback.txt"),
            (b"; filename=\"not closed.txt", "not closed.txt"),
        ] {
            assert_eq!(name_in(parameters).as_deref(), Some(name), "{}", String::from_utf8_lossy(parameters));
        }
        for parameters in [&b""[..], b"; filename=\"\"", b"; filename", b"; filenames=\"a\""] {
            assert_eq!(name_in(parameters), None);
        }
    }
}
