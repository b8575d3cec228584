//! The domain of FireFly Cloud: the data that a device sends, parsed once into types that cannot be wrong.
//!
//! A value of a type of this crate is valid: a field is private and every constructor checks, or it is public and its
//! own type is valid. Time and randomness come in as arguments; nothing here does I/O, waits, reads a clock or holds a
//! generator.
//!
//! | module             | subject                                                                             |
//! |--------------------|-------------------------------------------------------------------------------------|
//! | [`device`]         | the identity of a device: UUID, product, public key                                 |
//! | [`envelope`]       | the FFCE container of an encrypted backup                                           |
//! | [`etag`]           | the entity tag that a device gives its backup                                       |
//! | [`group`]          | the groups of users that a route may ask for, and evidence of membership            |
//! | [`hex`]            | bytes as hex digits                                                                 |
//! | [`json`]           | JSON that is kept as sent, within the limits of DynamoDB                            |
//! | [`provisioning`]   | identities in AWS IoT Core                                                          |
//! | [`registration`]   | one-time registration keys, and the body that registers a device                    |
//! | [`replay`]         | the nonces that a device has spent, and the rule that admits a request              |
//! | [`signature`]      | the signature of a request                                                          |
//! | [`signed_request`] | the four headers of a signed request, and the evidence that its signature verifies  |
//! | [`source_address`] | the origin of a request, as far as wrong registration keys are counted              |
//! | [`time`]           | whole seconds since the epoch, and their text form on the wire                      |
//! | [`user`]           | a signed-in user                                                                    |

pub mod device;
pub mod envelope;
pub mod etag;
pub mod group;
pub mod hex;
pub mod json;
pub mod provisioning;
pub mod registration;
pub mod replay;
pub mod signature;
pub mod signed_request;
pub mod source_address;
pub mod time;
pub mod user;
