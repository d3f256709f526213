"""All plots of the project.

A function takes values (arrays, lists, rows of the leaderboard), a title, and a note with data set, protocol and
caveats. It returns a matplotlib ``Figure``, which :func:`genres.figures.style.save` writes as PNG. pyplot is not used,
since it changes global state and keeps figures in memory.
"""
