"""Delivering files: bundles, signatures, and the files of earlier exports."""
