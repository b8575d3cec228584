//! The balena API on loopback: devices, fleets, services and their variables.
