"""Environment variables that secrets come from: they stand neither in a command line nor in a file of ours."""

PASSWORD = "CHARGERIG_STATION_PASSWORD"
"""The password of all stations (security profile 1 or 2)."""
TOKEN = "CHARGERIG_API_TOKEN"
"""The token of the API of a back-end."""
