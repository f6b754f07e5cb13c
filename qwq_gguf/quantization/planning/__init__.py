"""Everything that will be written, decided before a weight is read. Pure, but for imatrix.py."""
