"""Answers of real models to many kinds of questions, by which the graders are tested."""
