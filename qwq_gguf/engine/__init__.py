"""Running a model: the only room that knows llama.cpp's inference API.

Import the modules themselves; nothing is imported here, so that looking at an error
class or a default never loads the native library.
"""
