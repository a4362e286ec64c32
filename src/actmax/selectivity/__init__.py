"""Groups of text, the activations they give in all units at once, and what tells the groups apart.

The data flow: a group's name becomes samples (:mod:`~actmax.selectivity.groups`), the model reads them
(:mod:`~actmax.selectivity.extract`), and every unit is compared (:mod:`~actmax.selectivity.compare`). The
statistics themselves are :mod:`actmax.stats`, which knows neither models nor text.
"""
