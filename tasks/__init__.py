"""One step a file: read files, call a library function, write the result atomically."""
