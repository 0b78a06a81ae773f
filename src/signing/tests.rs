use proptest::prelude::*;

use super::*;

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn secret(text: &str) -> Secret {
    Secret::from(text.repeat(32))
}

fn keys(current: &str, others: &[&str]) -> SigningKeys {
    SigningKeys::new(&secret(current), &others.iter().map(|text| secret(text)).collect::<Vec<_>>())
}

/// `text` with each of its characters replaced by each other one of the alphabet.
fn changed(text: &str) -> impl Iterator<Item = String> + '_ {
    let positions = text.char_indices();
    positions.flat_map(move |(at, old)| {
        let others = ALPHABET.chars().filter(move |new| *new != old);
        others.map(move |new| format!("{}{new}{}", &text[..at], &text[at + 1..]))
    })
}

/// Other spellings of the same bytes that lenient decoders accept.
fn respelt(text: &str) -> [String; 4] {
    [format!("{text}="), format!("{text}\n"), format!(" {text}"), text.replace('-', "+").replace('_', "/") + "=="]
}

/// Computed with other libraries: what was made before an update of this one must stay of use after it.
#[test]
fn what_was_made_earlier_is_accepted() {
    let keys = SigningKeys::new(&Secret::from("0123456789abcdef0123456789abcdef".to_owned()), &[]);
    assert_eq!(keys.sign(b"message"), "YL33wGfdVWapF6MXOt-tAJhPS1yti2elkByQ3kcDTHA");
    let sealed = "dW5pcXVlIG5vbmNlKo4c4s_lR5jmaoFeZZSf4QJkoreo";
    assert_eq!(keys.open(sealed, b"alice").as_deref(), Some(&b"plain"[..]));
}

#[test]
fn a_signature_is_of_one_message() {
    let keys = keys("a", &[]);
    let signature = keys.sign(b"message");
    assert!(keys.verify(b"message", &signature));
    for message in [&b""[..], b"Message", b"message ", b"messag"] {
        assert!(!keys.verify(message, &signature));
    }
}

#[test]
fn a_signature_has_one_spelling() {
    let keys = keys("a", &["b"]);
    let signature = keys.sign(b"message");
    assert_eq!(changed(&signature).count(), 43 * 63);
    for other in changed(&signature).chain(respelt(&signature)).chain([String::new(), signature[1..].to_owned()]) {
        assert!(!keys.verify(b"message", &other), "{other}");
    }
}

#[test]
fn a_sealed_text_has_one_spelling() {
    let keys = keys("a", &["b"]);
    for plain in [&b""[..], b"p", b"pl", b"plain text"] {
        let sealed = keys.seal(plain, b"");
        for other in changed(&sealed).chain(respelt(&sealed)).chain([String::new(), sealed[1..].to_owned()]) {
            assert_eq!(keys.open(&other, b""), None, "{other}");
        }
    }
}

#[test]
fn what_is_sealed_twice_does_not_look_the_same() {
    let keys = keys("a", &[]);
    assert_ne!(keys.seal(b"plain", b""), keys.seal(b"plain", b""));
}

#[test]
fn long_texts_are_not_looked_at() {
    let keys = keys("a", &[]);
    let longest = vec![0; MAX_SEALED_BYTES / 4 * 3 - NONCE_LEN - 16];
    let sealed = keys.seal(&longest, b"");
    assert_eq!(sealed.len(), MAX_SEALED_BYTES);
    assert!(keys.open(&sealed, b"").is_some());
    let longer = [longest, vec![0]].concat();
    assert_eq!(keys.open(&keys.seal(&longer, b""), b""), None);
}

#[test]
fn secrets_can_be_replaced() {
    let (old, both, new) = (keys("old", &[]), keys("new", &["older", "old"]), keys("new", &[]));
    let made_before = (old.sign(b"message"), old.seal(b"plain", b"alice"));
    let made_now = (both.sign(b"message"), both.seal(b"plain", b"alice"));
    let accepts = |keys: &SigningKeys, (signature, sealed): &(String, String)| {
        let opened = keys.open(sealed, b"alice");
        assert_eq!(opened.is_some(), keys.verify(b"message", signature));
        opened.as_deref() == Some(b"plain")
    };
    assert!(accepts(&both, &made_before) && accepts(&both, &made_now));
    assert!(accepts(&new, &made_now) && !accepts(&new, &made_before));
    assert!(accepts(&old, &made_before) && !accepts(&old, &made_now));
}

#[test]
fn each_purpose_has_its_own_key() {
    let secret = secret("a");
    let (urls, cursors) = (derive(&secret, URLS), derive(&secret, CURSORS));
    assert_ne!(urls, cursors);
    let keys = SigningKeys::new(&secret, &[]);
    let with_cursors_key = hmac::sign(&hmac::Key::new(HMAC_SHA256, &cursors), b"message");
    assert!(!keys.verify(b"message", &BASE64URL.encode(with_cursors_key)));
    let with_urls_key = RandomizedNonceKey::new(&AES_256_GCM_SIV, &urls).unwrap();
    let mixed_up = SigningKeys { current: Keys { cursors: with_urls_key, ..Keys::derive(&secret) }, others: vec![] };
    assert_eq!(keys.open(&mixed_up.seal(b"plain", b""), b""), None);
    // Nor is the secret itself a key.
    let with_secret = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret.expose().as_bytes()), b"message");
    assert!(!keys.verify(b"message", &BASE64URL.encode(with_secret)));
}

#[test]
fn keys_are_not_printed() {
    assert_eq!(format!("{:?}", keys("a", &["b"])), "SigningKeys(..)");
}

proptest! {
    #[test]
    fn every_message_is_verified_by_its_own_signature(message: Vec<u8>, other: Vec<u8>) {
        let keys = keys("a", &[]);
        let signature = keys.sign(&message);
        prop_assert!(keys.verify(&message, &signature));
        prop_assert_eq!(keys.verify(&other, &signature), other == message);
    }

    #[test]
    fn everything_sealed_opens_only_where_it_is_bound_to(plain: Vec<u8>, bound_to: Vec<u8>, other: Vec<u8>) {
        let keys = keys("a", &[]);
        let sealed = keys.seal(&plain, &bound_to);
        prop_assert_eq!(keys.open(&sealed, &bound_to), Some(plain));
        prop_assert_eq!(keys.open(&sealed, &other).is_some(), other == bound_to);
    }

    #[test]
    fn nothing_opens_after_a_change(plain: Vec<u8>, at: prop::sample::Index, new in "[A-Za-z0-9_-]") {
        let keys = keys("a", &["b"]);
        let sealed = keys.seal(&plain, b"alice");
        let at = at.index(sealed.len());
        let changed = format!("{}{new}{}", &sealed[..at], &sealed[at + 1..]);
        prop_assert_eq!(keys.open(&changed, b"alice").is_some(), changed == sealed);
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text: String) {
        let keys = keys("a", &["b"]);
        prop_assert!(!keys.verify(b"message", &text));
        prop_assert_eq!(keys.open(&text, b""), None);
    }
}
