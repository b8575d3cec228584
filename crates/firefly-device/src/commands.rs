//! The commands, except `fleet`.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use firefly_core::envelope::MAX_PLAINTEXT_LENGTH;
use firefly_core::registration::{KEY_LIFETIME_SECONDS, RegistrationKey};
use firefly_core::time::UnixSeconds;
use firefly_device::identity_file::{self, IdentityFileError};
use firefly_device::{
    Client, Deletion, Identity, Registration, Response, Restore, SignedHeaders, Standing, Upload, etag, random_nonce,
};
use firefly_output::quoted;
use rand::Rng as _;
use rand::rngs::StdRng;
use tempfile::NamedTempFile;

use crate::fleet_command;
use crate::options::{Cli, Command, IDENTITY_FILE, New};
use crate::output::{print, print_result};
use crate::verdict::Failure;

/// The advice about a 401 to a signed request whose timestamp is not the cause.
const UNKNOWN_DEVICE: &str = "this controller is not registered, or not with this identity file: firefly-device \
                              register --key KEY";

pub(crate) async fn run(cli: Cli, clock: fn() -> UnixSeconds, rng: &mut StdRng) -> Result<(), Failure> {
    let client = &cli.url;
    let path = cli.identity.as_path();
    let device = |rng| Device::load(path, client, clock, rng);
    match cli.command {
        Command::New(new) => make(path, &new, rng),
        Command::Register(register) => device(rng)?.register(&register.key).await,
        Command::Status => device(rng)?.status().await,
        Command::Backup { file } => device(rng)?.backup(&file).await,
        Command::Restore { file } => device(rng)?.restore(&file).await,
        Command::Delete => device(rng)?.delete().await,
        Command::Headers => print_result(device(rng)?.sign().to_string()),
        Command::Fleet(fleet) => fleet_command::run(client, fleet, clock, rng).await,
    }
}

fn make(path: &Path, new: &New, rng: &mut StdRng) -> Result<(), Failure> {
    let mut identity = Identity::generate(new.product_hex, rng);
    if let Some(uuid) = new.uuid {
        identity = identity.with_uuid(uuid);
    }
    identity_file::save(&identity, path).map_err(Failure::usage)?;
    print(format!("made controller {} in {}\n", identity.uuid(), path.display()))
}

/// The controller of the identity file, with the client, the clock and the generator that it acts with.
struct Device<'a> {
    client: &'a Client,
    identity: Identity,
    clock: fn() -> UnixSeconds,
    rng: &'a mut StdRng,
}

impl<'a> Device<'a> {
    fn load(path: &Path, client: &'a Client, clock: fn() -> UnixSeconds, rng: &'a mut StdRng) -> Result<Self, Failure> {
        let identity = identity_file::load(path).map_err(|error| match error {
            IdentityFileError::Read { ref source, .. } if source.kind() == io::ErrorKind::NotFound => {
                let is_default = path == Path::new(IDENTITY_FILE);
                let option = if is_default { String::new() } else { format!(" --identity {}", quoted(path.display())) };
                Failure::Usage(format!("{error}\nmake one with: firefly-device new{option}"))
            }
            error => Failure::usage(error),
        })?;
        Ok(Self { client, identity, clock, rng })
    }

    fn sign(&mut self) -> SignedHeaders {
        let nonce = random_nonce(self.rng);
        self.identity.sign(&nonce, (self.clock)())
    }

    async fn register(&mut self, key: &RegistrationKey) -> Result<(), Failure> {
        let answer = self.client.register(&self.identity, key).await?;
        match answer.outcome {
            Registration::Registered => print(format!("registered {}\n", self.identity.uuid())),
            Registration::Refused => {
                let minutes = KEY_LIFETIME_SECONDS / 60;
                let new_key = format!("a key is good once and for {minutes} minutes: mint another");
                let advice = [
                    (200, "only a 204 tells a controller that it is registered"),
                    (401, &new_key),
                    (403, &new_key),
                    (409, "make another identity: firefly-device new --identity FILE"),
                ];
                Err(Failure::refused(&answer.response, (self.clock)(), &advice))
            }
        }
    }

    async fn status(&mut self) -> Result<(), Failure> {
        let answer = self.client.status(&self.sign()).await?;
        match answer.outcome {
            Standing::Registered => {
                let mut text = format!("registered {}\n", self.identity.uuid());
                for member in ["registration_date", "product_id", "product_hex"] {
                    if let Some(value) = answer.response.member(member) {
                        text.push_str(member);
                        text.push_str(": ");
                        text.extend(value.chars().filter(|character| !character.is_control()));
                        text.push('\n');
                    }
                }
                print(text)
            }
            Standing::NotRegistered => Err(Failure::Failed(format!(
                "not registered: {}\nregister it with: firefly-device register --key KEY",
                self.identity.uuid()
            ))),
            Standing::Refused => Err(self.refused(&answer.response)),
        }
    }

    async fn backup(&mut self, file: &Path) -> Result<(), Failure> {
        let plaintext = read_configuration(file)?;
        let mut gcm_nonce = [0; 12];
        self.rng.fill_bytes(&mut gcm_nonce);
        let envelope = self.identity.seal(&plaintext, &gcm_nonce).map_err(Failure::usage)?;
        let signed = self.sign();
        let answer = self.client.upload(&signed, &envelope, Some(etag(&plaintext))).await?;
        match answer.outcome {
            Upload::Stored => print(format!("backed up {} bytes of {}\n", plaintext.len(), source(file))),
            Upload::Refused => Err(self.refused(&answer.response)),
        }
    }

    async fn restore(&mut self, file: &Path) -> Result<(), Failure> {
        let target = Target::prepare(file)?;
        let answer = self.client.restore(&self.sign()).await?;
        let envelope = match answer.outcome {
            Restore::Restored(envelope) => envelope,
            Restore::NoBackup => {
                return Err(Failure::Failed("no backup: nothing is stored for this controller".to_owned()));
            }
            Restore::Unusable(reason) => {
                return Err(Failure::Failed(format!("a controller cannot use the answer: {reason}")));
            }
            Restore::Refused => return Err(self.refused(&answer.response)),
        };
        let plaintext = self
            .identity
            .open(&envelope)
            .map_err(|error| Failure::Failed(format!("cannot open the backup: {error}")))?;
        target.fill(&plaintext)
    }

    async fn delete(&mut self) -> Result<(), Failure> {
        let answer = self.client.delete(&self.sign()).await?;
        match answer.outcome {
            Deletion::Deleted => print(format!("deleted the backup of {}\n", self.identity.uuid())),
            Deletion::NotFound | Deletion::Refused => Err(self.refused(&answer.response)),
        }
    }

    fn refused(&self, response: &Response) -> Failure {
        Failure::refused(response, (self.clock)(), &[(401, UNKNOWN_DEVICE)])
    }
}

/// The path that stands for standard input or standard output.
const STANDARD_STREAM: &str = "-";

/// The name of a configuration's file, for messages.
fn source(file: &Path) -> String {
    if file == Path::new(STANDARD_STREAM) { "standard input".to_owned() } else { file.display().to_string() }
}

fn read_configuration(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut plaintext = Vec::new();
    // One byte beyond the limit shows that a file is too long, without reading it whole.
    let limit = MAX_PLAINTEXT_LENGTH as u64 + 1;
    let read = if file == Path::new(STANDARD_STREAM) {
        io::stdin().lock().take(limit).read_to_end(&mut plaintext)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut plaintext))
    };
    read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", source(file))))?;
    if plaintext.len() > MAX_PLAINTEXT_LENGTH {
        let source = source(file);
        let limit = format!("is longer than {MAX_PLAINTEXT_LENGTH} bytes, the most a controller backs up");
        return Err(Failure::Usage(format!("{source} {limit}")));
    }
    Ok(plaintext)
}

/// The target of a restored configuration. A file appears or is replaced only when it is complete.
enum Target<'a> {
    StandardOutput,
    File { path: &'a Path, temporary: NamedTempFile },
}

impl<'a> Target<'a> {
    /// Fails if the target cannot be written, before anything is asked of the cloud.
    fn prepare(path: &'a Path) -> Result<Self, Failure> {
        if path == Path::new(STANDARD_STREAM) {
            return Ok(Self::StandardOutput);
        }
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Failure::Usage(format!("{} is not a regular file", path.display())));
        }
        // tempfile creates with mode 0600, and removes the file when it is dropped.
        let temporary = NamedTempFile::new_in(identity_file::directory_of(path))
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
        Ok(Self::File { path, temporary })
    }

    fn fill(self, plaintext: &[u8]) -> Result<(), Failure> {
        let (path, mut temporary) = match self {
            Self::StandardOutput => return print_result(plaintext),
            Self::File { path, temporary } => (path, temporary),
        };
        temporary
            .write_all(plaintext)
            .and_then(|()| temporary.as_file().sync_all())
            .and_then(|()| temporary.persist(path).map_err(|error| error.error))
            .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", path.display())))?;
        print(format!("restored {} bytes to {}\n", plaintext.len(), path.display()))
    }
}
