"""The notebooks: one source in two languages, the versions built from it, the rules it keeps, how it is run."""
