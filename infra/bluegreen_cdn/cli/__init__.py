"""The command `bluegreen`. Thin: it reads options, calls the library, prints.

It starts without the libraries that are slow to import.
"""
