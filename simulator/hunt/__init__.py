"""Hunts for broken promises: whole networks in virtual time, with faults drawn from a seed, and checkers that bite.

faults/        the menu of faults
scenario.py    one seed's world: which faults come when, and how a run ends
checks/        the promises, checked against the world's record
planted/       bugs put in on purpose: proof that the checkers bite
"""
