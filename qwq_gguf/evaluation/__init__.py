"""Evidence: problem generators, graders and a runner that counts thinking tokens."""
