//! The suite that every metadata provider passes: one test per case and provider.
//!
//! A case gets an empty store of its own and knows nothing of the provider behind it.

mod artifacts;
mod cost;
mod counting;
mod default_sessions;
mod directory;
mod documents;
mod expiry;
mod fixture;
mod garbage;
mod index;
mod model;
mod search;
mod totals;
mod walks;

use std::sync::Arc;

use self::fixture::*;
pub(super) use self::fixture::{artifact, at, garbage, id, partition, session};
use super::{Garbage, MemoryMetadata, MetadataStore, RedisMetadata, Replaced, SqliteMetadata};
use crate::domain::artifact::Artifact;
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;

type Store = Arc<dyn MetadataStore>;

/// Makes a test of every case for every provider. A provider's line gives a store and whatever must
/// outlive it.
macro_rules! suite {
    ($($group:ident: $cases:tt)+) => {
        suite!(@provider memory, (Arc::new(MemoryMetadata::new()), ()), $($group: $cases)+);
        suite!(@provider sqlite, in_sqlite(), $($group: $cases)+);
        suite!(@provider redis, (Arc::new(redis_store()), ()), $($group: $cases)+);
    };
    (@provider $provider:ident, $open:expr, $($group:ident: [$($case:ident),+ $(,)?])+) => {
        mod $provider {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _keep) = $open;
                    super::$group::$case(store).await;
                }
            )+)+
        }
    };
}

suite! {
    artifacts: [
        a_record_reads_back_to_the_last_field,
        a_record_that_was_never_written_is_not_found,
        records_are_read_together_in_the_order_asked_for,
        an_id_is_taken_once,
        a_record_is_replaced_only_while_it_has_the_expected_version,
        versions_are_compared_to_the_last_digit,
        concurrent_replacements_are_each_applied_once,
        nobody_sees_a_change_and_then_what_was_before,
        a_record_is_deleted_only_in_the_version_that_is_known,
        a_deleted_record_leaves_every_index,
        numbers_survive_exactly,
        the_provider_answers_a_ping,
    ]
    index: [
        entries_come_change_and_go_with_their_record,
        a_refused_change_leaves_the_index_alone,
        a_record_has_the_same_entries_when_it_is_read_back,
        concurrent_changes_leave_the_entries_of_the_last,
        a_scan_gives_its_range_in_either_direction_up_to_its_limit,
        scans_are_answered_in_their_order,
        a_count_stops_when_there_is_enough,
        no_partition_shows_what_belongs_to_another,
        an_empty_partition_has_no_entries,
    ]
    totals: [
        totals_follow_every_change,
        sandboxes_and_scopes_are_added_up_by_themselves,
        a_refused_change_counts_nothing,
        concurrent_changes_are_all_added_up,
    ]
    search: [
        every_filter_finds_in_every_order_what_it_should,
        all_of_a_filter_must_hold,
        pages_of_every_size_join_without_a_seam,
        partitions_are_searched_alone_or_together,
        what_is_not_visible_is_passed_over,
        a_page_that_asks_for_nothing_is_empty,
        a_search_that_finds_almost_nothing_ends_in_short_pages,
        many_media_types_are_found_in_their_order,
        a_changed_record_is_found_where_it_belongs_now,
    ]
    directory: [
        a_listing_without_delimiter_shows_all_names,
        a_listing_with_a_delimiter_sums_up_what_lies_deeper,
        a_large_folder_is_one_line_and_costs_no_more,
        a_page_of_a_listing_that_asks_for_nothing_is_empty,
    ]
    walks: [
        a_search_misses_nothing_that_stays,
        a_listing_misses_nothing_that_stays,
    ]
    cost: [
        a_page_costs_the_same_however_much_there_is,
        what_grows_after_it_was_counted_is_not_cut_off,
    ]
    documents: [
        a_session_reads_back_to_the_last_field,
        a_document_reads_back_to_the_last_character,
        a_name_is_taken_once_in_its_kind,
        a_document_is_replaced_only_while_it_has_the_expected_version,
        versions_of_documents_are_compared_to_the_last_digit,
        a_document_is_deleted_only_in_the_version_that_is_known,
        concurrent_changes_of_a_document_are_each_applied_once,
        odd_names_are_told_apart,
    ]
    expiry: [
        the_longest_expired_artifacts_come_first,
        an_artifact_expires_at_its_last_instant_not_before,
        a_changed_life_counts_at_once,
        a_refused_replacement_changes_no_life,
        the_longest_expired_documents_of_a_kind_come_first,
        a_document_expires_at_its_last_instant_not_before,
        a_prolonged_document_expires_later,
        a_refused_change_of_a_document_changes_no_life,
    ]
    default_sessions: [
        odd_users_are_told_apart,
        a_default_session_is_changed_only_by_who_knows_it,
        of_concurrent_claims_to_be_the_default_one_wins,
    ]
    garbage: [
        due_garbage_comes_longest_due_first,
        garbage_is_noted_with_the_change_or_not_at_all,
        forgotten_garbage_is_gone_due_or_not,
        notes_of_the_same_bytes_are_forgotten_one_by_one,
    ]
}

fn in_sqlite() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap();
    (Arc::new(store), folder)
}

/// A store on the real server, under a prefix of its own.
pub(super) fn redis_store() -> RedisMetadata {
    let url = std::env::var("ARTIFACTD_TEST_REDIS_URL")
        .expect("ARTIFACTD_TEST_REDIS_URL is not set: run `scripts/with-services cargo test`");
    RedisMetadata::connect(&url, &format!("test-{:016x}", rand::random::<u64>())).unwrap()
}
