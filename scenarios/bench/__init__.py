"""The bench: what a virtual day costs, held against the engine of the `ocpp` library. The exceptions of the house live
here: `scenarios.bench.library` imports `ocpp` itself, and `scenarios.bench` reads the CPU clock."""
