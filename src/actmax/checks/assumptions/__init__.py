"""The assumptions of activation maximization that ``check`` measures, one file each.

:mod:`actmax.checks.registry` finds them; :mod:`actmax.checks.assumption` says what a file holds.
"""
