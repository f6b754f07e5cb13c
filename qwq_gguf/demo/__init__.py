"""The tiny reasoner that ships with the package: a real checkpoint that really thinks.

`checkpoint/` is laid out as QwQ's repository is. It lets every command run offline in
seconds, gives the tests real thoughts, and shows what a sampler chain does on any laptop.
scripts/train_demo trained it; its README.md is the model card.
"""
