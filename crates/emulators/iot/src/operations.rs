//! The operations, each a pure function of a view and an input.

pub(crate) mod certificates;
pub(crate) mod issuing;
pub(crate) mod policies;
pub(crate) mod policy_attachments;
pub(crate) mod policy_versions;
pub(crate) mod thing_attachments;
pub(crate) mod things;
