"""A charging station's control unit, as parts and one assembly per OCPP version.

Pure state machines: no I/O, no clock, no entropy of their own. Whatever must outlive a power loss goes to flash:
`boots` `clock` `accepted-url` `url` `config/<Key>` `availability/<n>` `list` `cache/<TAG>` `outbox/<n>` `ids/<n>`
`transactions` `tx/<connector>` `last-stop` `boot-reason`. Parts never import the assembly.

Modules named `v16_*` and `v201_*` speak one version; all others know none. `v16` and `v201` are the assemblies,
`assemblies` says which one a station has.
"""
