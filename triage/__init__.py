"""Mail triage for a vendor's technical-support team.

core/       all that a mail means, computed from values: no I/O, no clock of its own
adapters/   the world: mailbox, mailer, files, database
steps/      one round of one job each: intake, answers, outbox, clockwatch
commands/   a file per command of the command line
start.py    starts the readers, then the daemon
daemon.py   builds the parts and repeats the rounds
"""
