//! Words of a text, in the form in which they are compared.

use std::collections::BTreeSet;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use unicode_segmentation::UnicodeSegmentation as _;

/// The words of `text`, each once: runs of letters and digits of any script, without regard to case
/// (Unicode case folding) and to how a character is composed (NFKC). In scripts that put no spaces between
/// words, such as Chinese or Thai, each character counts as a word.
pub fn words(text: &str) -> BTreeSet<String> {
    let normalizer = ComposingNormalizer::new_nfkc();
    let folded = CaseMapper::new().fold_string(&normalizer.normalize(text)).into_owned();
    // Folding can undo the composition of some characters.
    let folded = normalizer.normalize(&folded);
    let runs = folded.split(|character: char| !character.is_alphanumeric());
    runs.flat_map(|run| run.unicode_words()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn words_of_file_names_and_sentences_are_told_apart() {
        assert_eq!(listed("reports/Q4_final-v2.PDF"), ["final", "pdf", "q4", "reports", "v2"]);
        assert_eq!(listed("It's Ann's, isn't it?"), ["ann", "isn", "it", "s", "t"]);
        assert_eq!(listed(" …!? "), [""; 0]);
    }

    #[test]
    fn case_and_composition_make_no_difference_in_any_script() {
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ПРИВЕТ", "привет"),
            ("Ünïcode", "u\u{308}ni\u{308}code"),
            ("ﬁnal", "FINAL"),
            ("Ｆｕｌｌ", "full"),
            ("İstanbul", "i\u{307}stanbul"),
            ("ᏣᎳᎩ", "ꮳꮃꭹ"),
        ] {
            assert_eq!(words(one), words(other), "{one} {other}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_found_character_by_character() {
        assert!(words("四半期報告書").is_superset(&words("報告")));
        assert!(words("รายงานประจำปี").is_superset(&words("งาน")));
    }
}
