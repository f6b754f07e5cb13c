"""What docs/evidence.md measures: which cells each of its tables has, asked by which command."""
