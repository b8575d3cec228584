//! AWS IoT Core's MQTT broker on loopback: mutual TLS, policies judged at each packet.
