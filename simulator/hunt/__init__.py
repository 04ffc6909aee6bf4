"""Hunts for broken promises: whole networks in virtual time, with faults drawn from a seed, and checkers that bite.

spells.py      what was wrong where and when: the world's own log of faults
faults/        the menu of faults
scenario.py    one seed's world: which faults come when, and how a run ends
checks/        the promises, checked against the world's record
planted.py     bugs put in on purpose: proof that the checkers bite
"""
