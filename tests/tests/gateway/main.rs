//! Rules of every route: the forms of requests and answers, and no 500 for any request of a client.

mod anything;
mod bodies;
mod claims;
mod heads;
mod routes;
mod wire;

/// Every route.
const ROUTES: [(&str, &str); 9] = [
    ("GET", "/health"),
    ("POST", "/registration-keys"),
    ("GET", "/registration-keys"),
    ("POST", "/devices/register"),
    ("GET", "/devices"),
    ("GET", "/devices/2d411e72-c806-3038-573b-bb16a4a19bcf/registration"),
    ("POST", "/devices/2d411e72-c806-3038-573b-bb16a4a19bcf/backup"),
    ("GET", "/devices/2d411e72-c806-3038-573b-bb16a4a19bcf/backup"),
    ("DELETE", "/devices/2d411e72-c806-3038-573b-bb16a4a19bcf/backup"),
];
