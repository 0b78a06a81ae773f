//! A store without room.

use super::scripted::Scripted;
use super::*;

#[tokio::test]
async fn a_store_without_room_is_full_however_it_says_so() {
    for (status, code) in [(507, "XMinioStorageFull"), (403, "QuotaExceeded"), (400, "XMinioAdminBucketQuotaExceeded")]
    {
        let body: &str = Box::leak(format!("<Error><Code>{code}</Code><Message>no</Message></Error>").into_boxed_str());
        let scripted = Scripted::new([(status, "", body), (204, "", "")]).await;
        let Err(PutError::Fault(fault)) = put(&scripted.storage, &unique_key(), b"bytes").await else {
            panic!("{code}")
        };
        assert_eq!(fault.kind, FaultKind::Full, "{}", Chain(&fault));
        assert!(scripted.storage.is_full());
        scripted.storage.delete(&unique_key()).await.unwrap();
        assert!(!scripted.storage.is_full(), "something was removed");
    }
}
