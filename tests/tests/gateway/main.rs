//! What holds for every route: how requests come in, how answers go out, and that nothing a client sends is a 500.

mod anything;
mod bodies;
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
