//! Identities in AWS IoT Core: a Thing, a certificate and a policy for a device that has proved itself.
//!
//! The caller looks, asks [`rule::next`] for one step, acts, and tells [`rule::Observed`] the outcome, until the step
//! is an answer. A process that ends in between leaves nothing but the row and AWS to look at: there is no log of steps.
//!
//! | module              | subject                                                                  |
//! |---------------------|--------------------------------------------------------------------------|
//! | [`body`]            | the JSON bodies of the routes                                            |
//! | [`certificate`]     | certificates in PEM, their ids, digests of public keys                   |
//! | [`device_api_key`]  | the credential of a balena device                                        |
//! | [`key_pair`]        | the key pair that is made for a balena device                            |
//! | [`name`]            | the names of devices, services, Things and policies                      |
//! | [`request`]         | certificate signing requests                                             |
//! | [`row`]             | the record of one Thing                                                  |
//! | [`rule`]            | the next step of a run                                                   |
//! | [`step`]            | steps, their outcomes, answers                                           |
//! | [`variables`]       | the two variables of a balena device                                     |

pub mod body;
pub mod certificate;
pub mod device_api_key;
pub mod key_pair;
pub mod name;
mod pem;
pub mod request;
pub mod row;
pub mod rule;
pub mod step;
pub mod variables;
