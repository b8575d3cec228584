//! AWS IoT Core's control plane on loopback: things, certificates, policies and their evaluation, durable.
