"""Every plot of the project.

In: values (arrays, lists, rows of the leaderboard), a title, and a note that says whose numbers these are: data set,
protocol, caveats. Out: a matplotlib ``Figure``; :func:`genres.figures.style.save` writes it as PNG. No pyplot, so that
nothing global changes for who imports this, and nothing stays in memory.
"""
