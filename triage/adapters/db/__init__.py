"""The store: every query of the program, and one transaction for each decision.

tables.py    what is remembered         engine.py    SQLite or PostgreSQL, and what their errors mean
store.py     transactions               migrate.py   brings a database to the present tables
mails.py tickets.py clocks.py outbox.py people.py    the queries, a module a noun
"""
