"""Outside parties with books of their own: payment providers, bank, mailbox. Machines that are reached over a line.

A partner never sees what a back-end has in its books, and nothing here may know how a back-end works inside: whatever a
check compares comes from both sides' own records.
"""
