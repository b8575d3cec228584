//! Functions invoked in the test's own process.

use std::io;
use std::time::Duration;

use firefly_core::time::UnixSeconds;
use firefly_device::Response;
use firefly_functions::{InvokeError, Listed, Running};
use firefly_runtime::{Environment, Invocation, Metrics};

use crate::TestCloud;
use crate::runtime_api::{Event, parse_payload, template};

/// The time that an invocation may take where a test does not say.
const TIME_LEFT: Duration = Duration::from_secs(60);

/// A function that is invoked with the JSON text of an event, as its binary is on Lambda.
pub struct Invoked {
    function: &'static Listed,
    running: Running,
}

impl Invoked {
    /// The function of this name on a cloud's engines, in the environment of its template.
    pub fn new(cloud: &TestCloud, name: &str) -> Self {
        Self::with(cloud, name, &[])
    }

    /// Like [`Self::new`], but with these variables changed or added.
    pub fn with(cloud: &TestCloud, name: &str, variables: &[(&str, &str)]) -> Self {
        let environment = Self::environment(cloud, name, variables);
        Self::start(name, &environment, Metrics::new(io::sink()))
    }

    /// The environment of a function's template on a cloud's engines, with these variables changed or added.
    pub fn environment(cloud: &TestCloud, name: &str, variables: &[(&str, &str)]) -> Environment {
        let mut environment = cloud.environment_of(&template(name));
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Environment::new(environment)
    }

    /// The function of this name in any environment; its metrics go to `metrics`.
    pub fn start(name: &str, environment: &Environment, metrics: Metrics) -> Self {
        let function = firefly_functions::named(name).expect("the function is listed");
        let running = (function.start)(environment, metrics).expect("the environment is complete");
        Self { function, running }
    }

    /// The function.
    pub fn function(&self) -> &'static Listed {
        self.function
    }

    /// Its recorded event.
    pub fn event(&self) -> Event {
        Event::recorded(self.function.name)
    }

    /// Returns the JSON text that it answers an event with.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] when the text is not an event, or the event not a request.
    pub async fn payload(
        &self,
        now: UnixSeconds,
        time_left: Duration,
        event: &impl ToString,
    ) -> Result<String, InvokeError> {
        let invocation = Invocation { request_id: "test".to_owned(), time_left };
        (self.running)(now, invocation, event.to_string()).await
    }

    /// Answers an event, or reports why it cannot.
    ///
    /// # Errors
    ///
    /// Like [`Self::payload`].
    pub async fn try_answer(&self, now: UnixSeconds, event: &impl ToString) -> Result<Response, InvokeError> {
        self.payload(now, TIME_LEFT, event).await.map(|payload| parse_payload(&payload))
    }

    /// Answers an event that is a request.
    pub async fn answer(&self, now: UnixSeconds, event: &impl ToString) -> Response {
        self.try_answer(now, event).await.expect("the event is a request")
    }

    /// Answers an event, which has to be within `time_left`.
    pub async fn answer_within(&self, now: UnixSeconds, time_left: Duration, event: &impl ToString) -> Response {
        let answer = tokio::time::timeout(time_left, self.payload(now, time_left, event)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{} is ended by its timeout", self.function.name));
        parse_payload(&answer.expect("the event is a request"))
    }
}
