"""What a mail says: a module a label, each a function from text and pack to a label with its evidence."""
