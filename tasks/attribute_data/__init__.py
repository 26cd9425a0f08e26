"""Data sets that an attribute network learns from: reading their labels, cutting face crops, mixing them."""
