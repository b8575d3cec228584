//! Rules of every route: the forms of requests and answers, and no 500 for any request of a client.

mod anything;
mod bodies;
mod claims;
mod heads;
mod routes;
mod wire;

use firefly_functions::{ALL, Listed};
use firefly_testkit::method_and_path;

/// The device in the paths.
const DEVICE: &str = "2d411e72-c806-3038-573b-bb16a4a19bcf";

/// The route of a function.
#[derive(Debug)]
struct Route {
    function: &'static Listed,
    method: String,
    /// The path, with values in place of its variables.
    path: String,
}

/// Every route.
fn every_route() -> Vec<Route> {
    let route = |function| {
        let (method, path) = method_and_path(function, DEVICE);
        Route { function, method, path }
    };
    ALL.iter().map(route).collect()
}
