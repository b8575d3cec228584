//! The domain of FireFly Cloud: what a device sends, parsed once into types that cannot be wrong.
//!
//! A value of a type of this crate is valid: its fields are private and every constructor checks. Time and
//! randomness come in as arguments; nothing here does I/O, waits, reads a clock or holds a generator.
//!
//! | module             | what it knows                                                                       |
//! |--------------------|-------------------------------------------------------------------------------------|
//! | [`caller`]         | who signs in, and evidence of a group                                               |
//! | [`device`]         | who a device is: UUID, product, public key                                          |
//! | [`envelope`]       | the FFCE container of an encrypted backup                                           |
//! | [`etag`]           | the entity tag a device gives its backup                                            |
//! | [`json`]           | JSON kept as sent, within what DynamoDB can hold                                    |
//! | [`registration`]   | one-time registration keys and the body that registers a device                     |
//! | [`replay`]         | which nonces a device has spent, and whether one more request is admitted           |
//! | [`signed_request`] | the four headers of a signed request, and the evidence that its signature verifies  |
//! | [`source_address`] | where a request comes from, as far as wrong registration keys are counted           |
//! | [`time`]           | whole seconds since the epoch and the only text form they have on the wire          |

pub mod caller;
pub mod device;
pub mod envelope;
pub mod etag;
mod hex;
pub mod json;
pub mod registration;
pub mod replay;
pub mod signed_request;
pub mod source_address;
pub mod time;
