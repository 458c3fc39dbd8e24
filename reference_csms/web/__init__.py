"""The web faces of the reference CSMS: operations, records, health and metrics. No OCPP, no clock, no sockets of its own."""
