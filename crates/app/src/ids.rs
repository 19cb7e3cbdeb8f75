//! The one source of ids: UUID version 7, which sorts by time.

/// Makes ids that sort after the ones made before them.
#[derive(Debug)]
pub struct UuidV7;

impl domain::id::Ids for UuidV7 {
    #[allow(clippy::disallowed_methods)] // this is the id source
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}
