"""Who has made a GGUF again from its source, and found it equal: said in a signed statement.

statement.py   what is said (in-toto)                                pure
envelope.py    the letter that it is signed in (DSSE)                pure
keys.py        ed25519 keys in files, signing, checking a signature
beside.py      the attestations that lie beside a GGUF, checked
"""
