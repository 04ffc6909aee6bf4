"""The two drivers of the same world: the bare heap, and an asyncio loop under virtual time."""

from dispatcher.dispatcher import Dispatcher
from runtime.steps import Steps
from simulator.virtual.steps import HeapSteps, Life
from simulator.virtual.timers import Timers
from station_agent.agent import Agent


class HeapRunner:
    """Programs as steps in line: no task, no loop."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def steps(self, life: Life) -> Steps:
        return HeapSteps(self._timers, life)

    def start_agent(self, agent: Agent, life: Life) -> None:
        life.do(agent.begin())
        if life.is_alive:
            agent.link.start()
            for line in agent.hardware.lines.values():
                line.start()

    def start_dispatcher(self, dispatcher: Dispatcher, life: Life) -> None:
        life.do(dispatcher.begin())
        if life.is_alive:
            dispatcher.link.start()
