"""From a rated CDR to money owed: the ledger, the billing run, and the document a customer can read."""
