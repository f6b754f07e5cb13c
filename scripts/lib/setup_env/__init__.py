"""Makes the environment that ./scripts/demo and ./scripts/test run in.

Runs on the standard library of Python 3.11 alone, because nothing is installed yet.

    __main__   the steps in order, and the one place where an error becomes a sentence
    lockfile   requirements/*.lock as values
    venv       .venv and pip
    native     llama-cpp-python: keep it, take it from the cache, or have it built
    oracles    what only tests need, and can do without
    wheel      building it, and the cache of wheels
    compiler   which compiler there is, what it accepts and what it would target
    process    running a long command: its log, its progress, its end
    meter      one line of progress for people, a line now and then for log files
"""
