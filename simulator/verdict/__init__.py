"""Compares the world's own record with the dispatcher's database: were the five promises kept?

    evidence = await database.read(read_evidence)
    judge = Judge(network, evidence, rules, speed)
    verdict = reach_verdict(judge, world.record, world.now())

The agents' word is not asked.
"""

from simulator.verdict.evidence import Evidence, read_evidence
from simulator.verdict.rights import Judge
from simulator.verdict.verdict import Promise, Verdict, reach_verdict

__all__ = ["Evidence", "Judge", "Promise", "Verdict", "reach_verdict", "read_evidence"]
