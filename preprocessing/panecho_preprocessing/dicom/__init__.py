"""Reads DICOM cines."""
