"""Documents that customers get: bills, invoices, credit notes and notices, as PDF, plain text and HTML.

`model` says what a document is, `words` how a language says it, `view` joins the two; `pdf`, `text` and `html` render.
"""
