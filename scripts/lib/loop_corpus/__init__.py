"""How the texts of tests/loops are made: looping ones by models, honest ones mostly by rule."""
