"""What both ends of the wire and the world around them share: time, chance, wire formats, network, evidence.

`sim` knows neither station nor back-end. It must never import from `fleet`, `reference_csms`, `scenarios` or `reports`.
"""
