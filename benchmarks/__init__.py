"""Speed and memory of the stages, measured on this machine: ``make bench``."""
