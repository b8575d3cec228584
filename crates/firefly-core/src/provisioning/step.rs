//! Steps, their outcomes, and answers.

use std::collections::BTreeSet;

use super::{
    certificate::{CertificateId, CertificatePem, CheckedCertificate, PublicKeyDigest},
    name::{PolicyName, Scope},
    row::{Lease, Row},
    variables::{Variable, Variables},
};

/// One effect outside, one conditional write, or the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The row is replaced by this one.
    Write {
        /// The meaning of the write, for log and metrics.
        write: Write,
        /// The whole row as it is to be.
        row: Box<Row>,
        /// The condition of the write.
        on: Condition,
    },
    /// The row is removed, on a condition.
    RemoveRow {
        /// The condition.
        on: Condition,
    },
    /// `CreateThing` with the attribute `managed_by`.
    CreateThing,
    /// `DescribeThing`: is the attribute there?
    DescribeThing,
    /// `UpdateThing`, which merges the attribute.
    AdoptThing,
    /// `ListThingPrincipals`, of which only `:cert/` count.
    ListPrincipals,
    /// `ListPrincipalThings`: is the certificate on another Thing than ours?
    ListThings(CertificateId),
    /// `CreateCertificateFromCsr`, inactive, never sent twice.
    CreateCertificate,
    /// `DescribeCertificate`.
    DescribeCertificate(CertificateId),
    /// `AttachPolicy`.
    AttachPolicy(CertificateId, PolicyName),
    /// `AttachThingPrincipal`, exclusively.
    AttachThing(CertificateId),
    /// `UpdateCertificate` to `ACTIVE`.
    Activate(CertificateId),
    /// `UpdateCertificate` to `INACTIVE`.
    Deactivate(CertificateId),
    /// `ListAttachedPolicies`.
    ListPolicies(CertificateId),
    /// `DetachPolicy`.
    DetachPolicy(CertificateId, PolicyName),
    /// `DetachThingPrincipal`.
    DetachThing(CertificateId),
    /// `DeleteCertificate`, once.
    DeleteCertificate(CertificateId),
    /// `DeleteThing`, once.
    DeleteThing,
    /// Both variables of a scope are read by value.
    ReadVariables(Scope),
    /// The variable is set to that of the certificate that this run has made.
    SetVariable(Variable, Scope),
    /// The variable is deleted.
    DeleteVariable(Variable, Scope),
    /// A finding is logged and counted.
    Report(Report),
    /// The run is over.
    Answer(Answer),
}

/// The meaning of a write of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Write {
    /// The first write of a run: it takes the lease.
    Take,
    /// Like [`Write::Take`], but from a run that may still be at work.
    TakeOver,
    /// The id of the certificate that this run has made.
    RecordCertificate,
    /// The certificates that an adopted Thing has.
    RecordPrincipals,
    /// The ids that were searched for, and the entries whose search is over.
    RecordPending,
    /// The lease still holds. The other certificates become `due`.
    Fence,
    /// The certificates that were deactivated become `due`.
    Retire,
    /// The certificate becomes `delivering`.
    Deliver,
    /// The certificate becomes `delivered`, the row `done`, and the lease is released.
    Finish,
    /// The lease is released.
    Release,
}

/// The condition of a write: nothing is written where it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no row.
    Absent,
    /// The row has this lease, and it is over: `lease = :seen AND lease_until < :now`.
    Expired(Lease),
    /// The row has this lease, over or not.
    Held(Lease),
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or was done already. A write is in the table.
    Done,
    /// The condition of a write does not hold; the row as it is.
    Refused(Option<Box<Row>>),
    /// The Thing, policy attachment, certificate or variable does not exist (404).
    Absent,
    /// AWS refuses because of the state of the object: `CreateThing` 409, `UpdateCertificate` 406 (a transfer is
    /// pending), `DeleteCertificate` 406 and 409, `DeleteThing` 400 (still attached).
    Conflict,
    /// `DescribeThing`: the Thing exists, with our attribute or without it.
    Thing {
        /// The attribute is there.
        is_ours: bool,
    },
    /// `CreateCertificateFromCsr`: the certificate, which has been compared with its id and the key of the request.
    Made(CheckedCertificate),
    /// `DescribeCertificate`.
    Certificate {
        /// Its status.
        status: Status,
        /// The certificate. One with another id than that of the step counts as [`Failure::Unknown`].
        pem: CertificatePem,
    },
    /// The certificates among the principals of a Thing.
    Principals(BTreeSet<CertificateId>),
    /// `ListPrincipalThings`.
    Things {
        /// There is a Thing other than ours.
        others: bool,
    },
    /// `ListAttachedPolicies`.
    Policies(BTreeSet<PolicyName>),
    /// Both variables.
    Variables(Variables),
    /// The step failed.
    Failed(Failure),
}

/// The status of a certificate in AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `ACTIVE`.
    Active,
    /// `INACTIVE`, or any other status in which the certificate connects nobody but may be activated.
    Inactive,
    /// `REVOKED`.
    Revoked,
    /// `PENDING_TRANSFER`: AWS lets nobody change it.
    PendingTransfer,
    /// There is no such certificate.
    Absent,
}

/// The reason why a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// AWS throttled it to the end of its repetitions, or no time was left to begin it: it is not done.
    Throttled,
    /// It may be done, and nothing of it is under way any more: 5xx, an answer that makes no sense.
    Unknown,
    /// It may be done, now or later: a hang, a connection that was lost.
    Unanswered,
    /// It is refused for good, and not done: an absent policy, an exceeded limit, denied access.
    Denied,
    /// balena's 429: it is not done.
    Busy {
        /// balena's `Retry-After`.
        retry_after_seconds: Option<u64>,
    },
    /// balena's 401: it is not done.
    Unauthorized,
}

impl Failure {
    /// Returns `true` if the step may be done all the same.
    #[must_use]
    pub const fn may_be_done(self) -> bool {
        matches!(self, Self::Unknown | Self::Unanswered)
    }
}

/// A finding of a run that somebody has to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Report {
    /// A delivery was left half-done, and this account cannot read the variables. The sweep is done with the row.
    DeliveryLeft(CertificateId),
    /// A certificate that no row names was on our Thing and on another. It was detached from ours.
    SharedCertificate(CertificateId),
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The device has a new certificate.
    Created(CertificatePem),
    /// The device has its certificate from before, and nothing was changed.
    Exists(CertificatePem),
    /// The Thing is provisioned for another service, and nothing was changed.
    ExistsElsewhere,
    /// Every certificate of the Thing is inactive.
    Deleted {
        /// Variables of the device may be left.
        variables_left: bool,
    },
    /// The sweep is done with the row.
    Swept,
    /// Another run is at work.
    InProgress {
        /// The seconds until it is over, at least 1.
        retry_after_seconds: u64,
    },
    /// The Thing may not come back.
    Blocked,
    /// The Thing is somebody else's.
    NotManaged,
    /// A certificate of the Thing is being transferred to another account.
    PendingTransfer,
    /// The limit of the Thing's certificates is reached.
    TooManyCertificates {
        /// The seconds until the next sweep or the end of the day, at least 1.
        retry_after_seconds: u64,
    },
    /// A step failed. The row names what exists.
    Failed(Failure),
}

/// A certificate that the sweep's search has found: it is inactive, and no row names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: CertificateId,
    /// The digest of its public key.
    pub key: PublicKeyDigest,
}
