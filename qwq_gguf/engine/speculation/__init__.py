"""Guessing tokens ahead, so that one decode computes several. The chain still picks each.

`Drafter` says what a guesser is; `TextDrafter` looks for the end of the text in what came before,
`ModelDrafter` asks a smaller model. `Speculation` makes them for a model's sessions.
"""
