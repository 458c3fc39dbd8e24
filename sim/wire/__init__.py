"""What crosses a link: OCPP-J frames, OCPP payloads and their schemas, and signed meter records (OCMF).

Formats only: nothing in here may know a station, a back-end, a clock or a random stream.
"""
