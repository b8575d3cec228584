//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use firefly_core::device::{DeviceId, ProductHex};
use firefly_core::envelope::MAX_PLAINTEXT_LENGTH;
use firefly_core::registration::RegistrationKey;
use firefly_core::signed_request::CLOCK_SKEW_SECONDS;
use firefly_device::{Client, UrlError};

/// The identity file unless another is named.
pub(crate) const IDENTITY_FILE: &str = "firefly-device.json";

const EXAMPLES: &str = "\
Examples:
  firefly-device new                             make an identity in firefly-device.json
  firefly-device register --key A1B2C3           register it with a one-time key
  firefly-device status                          ask whether it is registered
  firefly-device backup config.json              seal and upload a configuration
  firefly-device restore restored.json           get it back
  firefly-device restore - | diff config.json -  or on standard output
  firefly-device delete                          delete the backup
  firefly-device headers > signed; curl -H @signed http://127.0.0.1:8080/devices/UUID/backup
                                                 sign a request for another client, once
  firefly-device fleet --token TOKEN --devices 1000 --verify
                                                 act as a thousand controllers

Exit status: 0 done, 1 the cloud refused or could not be reached, 2 the command or a file is wrong.";

/// Acts as a FireFly controller: makes an identity, registers, backs up, restores.
#[derive(Parser)]
#[command(name = "firefly-device", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// URL of the cloud.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "FIREFLY_URL",
        default_value = "http://127.0.0.1:8080",
        value_parser = |url: &str| -> Result<Client, UrlError> { Client::new(url) }
    )]
    pub(crate) url: Client,

    /// The controller's identity file. It holds the master key; its mode must be 0600.
    #[arg(long, global = true, value_name = "FILE", default_value = IDENTITY_FILE)]
    pub(crate) identity: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new identity file; an existing file is never replaced.
    New(New),
    /// Register this controller with a one-time key.
    Register(Register),
    /// Ask whether this controller is registered; exit status 1 if not.
    Status,
    /// Seal a file and upload it as this controller's backup.
    Backup {
        #[arg(help = format!("The configuration, at most {MAX_PLAINTEXT_LENGTH} bytes; - is standard input"))]
        file: PathBuf,
    },
    /// Download this controller's backup and open it.
    Restore {
        /// Where to write it, replaced only when all went well, with mode 0600; - is standard output.
        file: PathBuf,
    },
    /// Delete this controller's backup from the cloud.
    Delete,
    #[command(about = format!(
        "Print the four signed headers of one request, good for {CLOCK_SKEW_SECONDS} seconds and once"
    ))]
    Headers,
    /// Act as many controllers: register them, upload from all, print what came of it.
    Fleet(Fleet),
}

#[derive(Args)]
pub(crate) struct New {
    /// The controller's UUID [default: a random one].
    #[arg(long, value_name = "UUID")]
    pub(crate) uuid: Option<DeviceId>,

    /// The controller's product: 0x and 8 hex digits.
    #[arg(long, value_name = "HEX", default_value = "0x0000F1F1")]
    pub(crate) product_hex: ProductHex,
}

#[derive(Args)]
pub(crate) struct Register {
    /// The registration key: 6 of A-Z and 0-9.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: RegistrationKey,
}

#[derive(Args)]
#[command(after_help = "\
The controllers' identities live in memory and are gone afterwards. Each minted key registers one controller; a key or a
registration that is refused with 429 or 503 is asked for again, an upload is not.
Latency is the time from opening a connection to the end of the answer, as a controller has it.

Examples:
  firefly-device fleet --token \"$(firefly-local token)\" --devices 1000
  firefly-device fleet --token TOKEN --devices 50000 --size 20000 --rate 500 --verify
  FIREFLY_TOKEN=TOKEN firefly-device fleet --devices 200 --uploads 5 --concurrency 200")]
pub(crate) struct Fleet {
    /// The token of a signed-in user, with which registration keys are minted.
    #[arg(
        long,
        visible_alias = "keys-from-token",
        value_name = "TOKEN",
        env = "FIREFLY_TOKEN",
        hide_env_values = true,
        value_parser = parse_token
    )]
    pub(crate) token: String,

    /// Number of controllers.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) devices: NonZeroUsize,

    /// Uploads of each controller, in rounds: all upload once, then all again.
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub(crate) uploads: usize,

    #[arg(
        long,
        value_name = "BYTES",
        default_value = "8192",
        help = format!("Random bytes per upload, at most {MAX_PLAINTEXT_LENGTH}"),
        value_parser = RangedU64ValueParser::<usize>::new().range(..=MAX_PLAINTEXT_LENGTH as u64)
    )]
    pub(crate) size: usize,

    /// Uploads started per second [default: all at once].
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,

    /// Most connections at a time.
    #[arg(long, value_name = "C", default_value = "64")]
    pub(crate) concurrency: NonZeroUsize,

    /// Restore every backup in the end and compare it.
    #[arg(long)]
    pub(crate) verify: bool,

    /// Write a line for each request to this file: phase, arrival and duration in microseconds, status.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// The controllers' product: 0x and 8 hex digits.
    #[arg(long, value_name = "HEX", default_value = "0x0000F1F1")]
    pub(crate) product_hex: ProductHex,
}

fn parse_token(text: &str) -> Result<String, &'static str> {
    let token = text.trim();
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token.to_owned())
    } else {
        Err("a token is one word of ASCII characters")
    }
}

fn parse_rate(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number from 0.001 to 1000000"),
    }
}
