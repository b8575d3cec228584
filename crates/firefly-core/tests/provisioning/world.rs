//! AWS IoT, the variables and the table, as far as the rule sees them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    provisioning::{
        certificate::{CertificateId, CertificatePem, PublicKeyDigest},
        name::{PolicyName, Scope},
        row::{Lease, Row},
        rule::{Delivery, Target},
        step::{Condition, Outcome, Status, Step},
        variables::{Value, Variable, Variables},
    },
    time::UnixSeconds,
};

/// A certificate of the account.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) status: Status,
    pub(crate) policies: BTreeSet<PolicyName>,
    pub(crate) is_on_thing: bool,
    pub(crate) is_elsewhere: bool,
    pub(crate) pem: CertificatePem,
}

/// The value of a variable: the certificate or the public half of the key.
pub(crate) type Pair = (CertificateId, PublicKeyDigest);

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) certificates: BTreeMap<CertificateId, Certificate>,
    /// The Thing, and our attribute.
    pub(crate) thing: Option<bool>,
    pub(crate) row: Option<Row>,
    pub(crate) variables: BTreeMap<(Scope, Variable), Pair>,
    /// The variables as a caller saw them who has not read the row yet.
    pub(crate) earlier: BTreeMap<(Scope, Variable), Pair>,
    /// The certificates made so far.
    pub(crate) made: u8,
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match u8::try_from(length) {
        Ok(short @ 0..=127) => vec![tag, short],
        Ok(long) => vec![tag, 0x81, long],
        Err(_) => vec![tag, 0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()],
    };
    [head.as_slice(), content].concat()
}

/// Returns the public key of `seed`. It is not a point of the curve: nobody computes with it.
fn spki(seed: u8) -> Vec<u8> {
    let algorithm = tlv(0x30, &[tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), tlv(6, &[0x2b, 1])].concat());
    tlv(0x30, &[algorithm, tlv(3, &[&[0, 4], [seed; 64].as_slice()].concat())].concat())
}

static DIGESTS: LazyLock<Vec<PublicKeyDigest>> =
    LazyLock::new(|| (0..=u8::MAX).map(|seed| certificate(0, seed).key()).collect());

pub(crate) fn digest(seed: u8) -> PublicKeyDigest {
    DIGESTS[usize::from(seed)]
}

/// Returns the seed of [`digest`].
pub(crate) fn seed(digest: PublicKeyDigest) -> u8 {
    u8::try_from(DIGESTS.iter().position(|of| *of == digest).unwrap()).unwrap()
}

/// Returns a certificate with the serial number `serial` for the key of `seed`. Its signature is not one.
pub(crate) fn certificate(serial: u8, seed: u8) -> CertificatePem {
    let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]));
    let validity = tlv(0x30, &[tlv(0x17, b"250101000000Z"), tlv(0x17, b"491231235959Z")].concat());
    let name = tlv(0x30, &[]);
    let serial = tlv(2, &[1, serial]);
    let body = [serial, algorithm.clone(), name.clone(), validity, name, spki(seed)].concat();
    let der = tlv(0x30, &[tlv(0x30, &body), algorithm, tlv(3, &[0, 1])].concat());
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    CertificatePem::parse(&pem).unwrap()
}

fn variables_of(all: &BTreeMap<(Scope, Variable), Pair>, scope: &Scope) -> Variables {
    let of = |variable| all.get(&(scope.clone(), variable)).copied();
    Variables {
        certificate: of(Variable::Certificate).map_or(Value::Absent, Value::Of),
        key: of(Variable::PrivateKey).map_or(Value::Absent, |(_, key)| Value::Of(key)),
    }
}

impl World {
    pub(crate) fn time(&self) -> UnixSeconds {
        UnixSeconds::new(self.now)
    }

    pub(crate) fn active(&self) -> Vec<CertificateId> {
        let active = self.certificates.iter().filter(|(_, of)| of.status == Status::Active);
        active.map(|(id, _)| *id).collect()
    }

    /// Adds a certificate for the key of `seed`.
    pub(crate) fn add(&mut self, seed: u8, status: Status, is_on_thing: bool) -> CertificatePem {
        self.made += 1;
        let pem = certificate(self.made, seed);
        let made = Certificate { status, policies: [].into(), is_on_thing, is_elsewhere: false, pem: pem.clone() };
        self.certificates.insert(pem.id(), made);
        pem
    }

    pub(crate) fn read(&self, scope: &Scope) -> Variables {
        variables_of(&self.variables, scope)
    }

    /// Returns the variables of a time before.
    pub(crate) fn read_earlier(&self, scope: &Scope) -> Variables {
        variables_of(&self.earlier, scope)
    }

    /// Panics if a scope shows a certificate with another's key.
    pub(crate) fn check(&self) {
        for scope in self.variables.keys().map(|(scope, _)| scope) {
            if let Variables { certificate: Value::Of((id, of)), key: Value::Of(key) } = self.read(scope) {
                assert_eq!(of, key, "certificate {id} with another's key");
            }
        }
    }

    /// Executes a step of a run that has `lease`, makes keys of `seed`, and has made `made`.
    pub(crate) fn act(&mut self, step: &Step, lease: Lease, target: &Target, seed: u8, made: Option<Pair>) -> Outcome {
        match step {
            Step::Write { row, on, .. } => self.write(Some((**row).clone()), *on, lease),
            Step::RemoveRow { on } => self.write(None, *on, lease),
            Step::CreateThing if self.thing == Some(false) => Outcome::Conflict,
            Step::CreateThing | Step::AdoptThing => {
                self.thing = Some(true);
                Outcome::Done
            }
            Step::DescribeThing => self.thing.map_or(Outcome::Absent, |is_ours| Outcome::Thing { is_ours }),
            Step::ListPrincipals if self.thing.is_none() => Outcome::Absent,
            Step::ListPrincipals => {
                let on_thing = self.certificates.iter().filter(|(_, of)| of.is_on_thing);
                Outcome::Principals(on_thing.map(|(id, _)| *id).collect())
            }
            Step::DeleteThing if self.certificates.values().any(|of| of.is_on_thing) => Outcome::Conflict,
            Step::DeleteThing => {
                self.thing = None;
                Outcome::Done
            }
            Step::CreateCertificate => {
                assert!(matches!(target, Target::Provision(_)));
                let pem = self.add(seed, Status::Inactive, false);
                let id = pem.id();
                Outcome::Made(pem.check(id, digest(seed)).unwrap())
            }
            Step::ReadVariables(scope) => Outcome::Variables(self.read(scope)),
            Step::SetVariable(variable, scope) => {
                let Target::Provision(target) = target else { panic!("only provisioning sets variables") };
                assert!(matches!(target.delivery, Delivery::Variables { .. }));
                self.variables.insert((scope.clone(), *variable), made.unwrap());
                Outcome::Done
            }
            Step::DeleteVariable(variable, scope) => {
                self.variables.remove(&(scope.clone(), *variable));
                Outcome::Done
            }
            Step::Report(_) => Outcome::Done,
            Step::Answer(_) => panic!("an answer is not a step"),
            Step::DescribeCertificate(id)
            | Step::AttachPolicy(id, _)
            | Step::AttachThing(id)
            | Step::Activate(id)
            | Step::Deactivate(id)
            | Step::ListPolicies(id)
            | Step::DetachPolicy(id, _)
            | Step::DetachThing(id)
            | Step::DeleteCertificate(id)
            | Step::ListThings(id) => self.act_on(step, *id),
        }
    }

    fn act_on(&mut self, step: &Step, id: CertificateId) -> Outcome {
        let has_thing = self.thing.is_some();
        let Some(certificate) = self.certificates.get_mut(&id) else { return Outcome::Absent };
        match step {
            Step::DescribeCertificate(_) => {
                return Outcome::Certificate { status: certificate.status, pem: certificate.pem.clone() };
            }
            Step::AttachPolicy(_, name) => drop(certificate.policies.insert(name.clone())),
            Step::AttachThing(_) if !has_thing => return Outcome::Absent,
            Step::AttachThing(_) => certificate.is_on_thing = true,
            Step::Activate(_) | Step::Deactivate(_) if certificate.status == Status::PendingTransfer => {
                return Outcome::Conflict;
            }
            Step::Activate(_) => certificate.status = Status::Active,
            Step::Deactivate(_) => certificate.status = Status::Inactive,
            Step::ListPolicies(_) => return Outcome::Policies(certificate.policies.clone()),
            Step::DetachPolicy(_, name) => drop(certificate.policies.remove(name)),
            Step::DetachThing(_) => certificate.is_on_thing = false,
            Step::ListThings(_) => return Outcome::Things { others: certificate.is_elsewhere },
            Step::DeleteCertificate(_) => {
                let is_attached = certificate.is_on_thing || !certificate.policies.is_empty();
                if is_attached || certificate.status == Status::Active {
                    return Outcome::Conflict;
                }
                self.certificates.remove(&id);
            }
            step => panic!("{step:?}"),
        }
        Outcome::Done
    }

    fn write(&mut self, row: Option<Row>, on: Condition, lease: Lease) -> Outcome {
        let holds = match (on, &self.row) {
            (Condition::Absent, row) => row.is_none(),
            (Condition::Expired(seen), Some(row)) => row.lease == seen && row.lease_until < self.time(),
            (Condition::Held(seen), Some(row)) => row.lease == seen,
            (_, None) => false,
        };
        if !holds {
            return Outcome::Refused(self.row.clone().map(Box::new));
        }
        if let Some(row) = &row {
            assert_eq!(row.lease, lease, "a run writes its own lease");
        }
        self.row = row;
        Outcome::Done
    }
}
