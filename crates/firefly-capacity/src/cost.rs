//! Prices, and the cost of requests.

use std::fmt;

use crate::route::Usage;

/// Bytes that one request adds to the function's log (START, END and REPORT of Lambda, and the metrics).
const FUNCTION_LOG_BYTES: f64 = 1_000.0;
/// Bytes that one request adds to the API's access log.
const ACCESS_LOG_BYTES: f64 = 350.0;

/// Prices in US dollars. What is free each month is not counted.
pub struct Prices {
    /// A million requests of an HTTP API, of up to 512 KB each.
    pub api_requests: f64,
    /// A million invocations.
    pub invocations: f64,
    /// A GB and second of an invocation on arm64, starts included.
    pub gb_second: f64,
    /// A million write units of a table on demand.
    pub write_units: f64,
    /// A million read units of a table on demand.
    pub read_units: f64,
    /// A million PUT requests of S3 Standard.
    pub puts: f64,
    /// A million GET requests of S3 Standard.
    pub gets: f64,
    /// A GB of logs taken in.
    pub logs_gb: f64,
}

impl Prices {
    /// The prices of US East (N. Virginia); `docs/scale.md` has the source and the date of each.
    pub const US_EAST_1: Self = Self {
        api_requests: 1.0,
        invocations: 0.2,
        gb_second: 0.000_013_333_4,
        write_units: 0.625,
        read_units: 0.125,
        puts: 5.0,
        gets: 0.4,
        logs_gb: 0.5,
    };
}

/// The cost of requests by part, in US dollars. `Display` writes a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// API Gateway. Requests over the throttle are not billed.
    pub api: f64,
    /// Lambda.
    pub lambda: f64,
    /// DynamoDB.
    pub table: f64,
    /// S3, without what is stored.
    pub bucket: f64,
    /// CloudWatch Logs.
    pub logs: f64,
}

impl Cost {
    /// Returns the sum.
    pub fn total(&self) -> f64 {
        self.api + self.lambda + self.table + self.bucket + self.logs
    }

    /// Adds a request over the throttle.
    pub(crate) fn add_throttled(&mut self, prices: &Prices) {
        self.logs += prices.logs_gb * ACCESS_LOG_BYTES / 1e9;
    }

    /// Adds a request for which there was no environment.
    pub(crate) fn add_not_run(&mut self, prices: &Prices) {
        self.add_throttled(prices);
        self.api += prices.api_requests / 1e6;
    }

    /// Adds a request that ran for so long.
    pub(crate) fn add(&mut self, prices: &Prices, usage: &Usage, seconds: f64) {
        self.add_not_run(prices);
        self.lambda += prices.invocations / 1e6 + prices.gb_second * usage.memory_mib / 1_024.0 * seconds;
        self.table += (prices.write_units * usage.write_units + prices.read_units * usage.read_units) / 1e6;
        self.bucket += (prices.puts * usage.puts + prices.gets * usage.gets) / 1e6;
        self.logs += prices.logs_gb * FUNCTION_LOG_BYTES / 1e9;
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, lambda, table, bucket, logs } = self;
        let total = self.total();
        writeln!(
            formatter,
            "${total:.4}: API ${api:.4}, Lambda ${lambda:.4}, table ${table:.4}, bucket ${bucket:.4}, logs ${logs:.4}"
        )
    }
}
