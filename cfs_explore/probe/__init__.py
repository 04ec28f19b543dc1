"""A look inside the backbone: one or a few images, one level, one noise draw, and the full maps of two taps.

``network`` loads a run's backbone and shows it images, ``seen`` is what comes out, ``film`` that of all levels, packed
for a browser, ``inputs`` are a run's images as its backbone took them, ``levels`` where a probe can stand. Only
``network`` needs torch, and it loads when it is imported.
"""
