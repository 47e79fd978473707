"""What the command line can do, a module a subject. Each module's `add` declares its verbs on the parser."""
