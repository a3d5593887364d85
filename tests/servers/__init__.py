"""Real servers, and misbehaving ones, for the tests and the benchmark.

Each starts from nothing in a short directory below /tmp and leaves nothing behind. As root they run as nobody, for
neither Dovecot nor PostgreSQL runs as root. They die with the process that started them.
"""
