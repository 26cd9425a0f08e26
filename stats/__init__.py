"""Group tests, effect sizes, corrections for multiplicity and classification performance with intervals."""
