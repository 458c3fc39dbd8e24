"""The three planes of evidence: truth (what happened), wire (what crossed the link), books (what was recorded)."""
