"""Delivering files: bundles, signatures, and what lies in a folder already."""
