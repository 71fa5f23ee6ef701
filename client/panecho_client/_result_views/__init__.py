"""A result as rows, columns and HTML, for data frames, notebooks and the tables of ``outputs``."""
