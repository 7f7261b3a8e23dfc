"""Who gets what and who pays what: quarter-hours, sharing, heat, pellets, ledger, statements, tasks, messages."""
