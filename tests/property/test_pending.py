"""Acknowledgements: in order, once, only on the connection the message came on, none before it is safe, and a bound.

The machine plays broker and writer at once. The broker sends what it has, as long as there is room; the writer settles
in any order, or fails and tries again; the line breaks, and what was not acknowledged comes again under other ids. The
model is a list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collector.pending import Pending


@dataclass
class Sent:
    """One sending of a message: on which connection, under which id, and what became of it."""

    message: int
    connection: int
    message_id: int  # 0 for QoS 0
    place: int
    settled: bool = False
    acknowledged: bool = False


@dataclass
class Model:
    """What broker, line and writer know."""

    sendings: list[Sent] = field(default_factory=list)
    connection: int = 0
    queue: list[int] = field(default_factory=list)  # at the broker, not yet sent on this connection
    used_ids: int = 0

    @property
    def in_hand(self) -> list[Sent]:
        return [one for one in self.sendings if not one.settled]

    @property
    def of_this_connection(self) -> list[Sent]:
        return [one for one in self.sendings if one.connection == self.connection and one.message_id]


class PendingMachine(RuleBasedStateMachine):
    @initialize(window=st.integers(1, 6), messages=st.integers(1, 30))
    def start(self, window, messages):
        self.window, self.messages = window, messages
        self.pending = Pending(window)
        self.model = Model(queue=list(range(messages)))

    @precondition(lambda self: self.model.queue and not self.pending.full)
    @rule(same_id=st.booleans())
    def receive(self, same_id):
        model = self.model
        model.used_ids = model.used_ids if same_id and model.used_ids else model.used_ids + 1  # ids may be used again
        message = model.queue.pop(0)
        place = self.pending.received(model.used_ids)
        model.sendings.append(Sent(message, model.connection, model.used_ids, place))

    @precondition(lambda self: not self.pending.full)
    @rule()
    def receive_without_acknowledgement(self):
        self.model.sendings.append(Sent(-1, self.model.connection, 0, self.pending.received(0)))

    @precondition(lambda self: self.model.in_hand)
    @rule(data=st.data())
    def commit(self, data):
        self.settle(data.draw(st.sampled_from(self.model.in_hand)))

    @precondition(lambda self: self.model.in_hand)
    @rule()
    def commit_all(self):
        for one in self.model.in_hand:
            self.settle(one)

    @precondition(lambda self: any(one.settled for one in self.model.sendings))
    @rule(data=st.data())
    def commit_once_more(self, data):
        before = len(self.pending)
        self.pending.settled(data.draw(st.sampled_from([one for one in self.model.sendings if one.settled])).place)
        assert len(self.pending) == before

    @rule()
    def fail(self):
        """Storing failed: nothing is settled, and nothing else changes by it."""

    def settle(self, one):
        self.pending.settled(one.place)
        one.settled = True

    @rule()
    def acknowledge(self):
        waiting = [one for one in self.model.of_this_connection if not one.acknowledged]
        expected = []
        for one in waiting:
            if not one.settled:
                break
            expected.append(one)
        assert self.pending.due() == [one.message_id for one in expected]
        for one in expected:
            one.acknowledged = True

    @rule()
    def reconnect(self):
        """The line breaks; the broker sends again, in order, what was not acknowledged, and then the rest."""
        model = self.model
        again = [one.message for one in model.of_this_connection if not one.acknowledged]
        self.pending.disconnected()
        model.connection += 1
        model.queue = again + model.queue

    @invariant()
    def nothing_beyond_the_window_is_in_hand(self):
        assert len(self.pending) == len(self.model.in_hand) <= self.window
        assert self.pending.full == (len(self.model.in_hand) == self.window)

    @invariant()
    def nothing_acknowledged_was_not_safe(self):
        assert all(one.settled for one in self.model.sendings if one.acknowledged)

    @invariant()
    def acknowledgements_of_a_connection_are_its_first_messages(self):
        marks = [one.acknowledged for one in self.model.of_this_connection]
        assert marks == sorted(marks, reverse=True)

    def teardown(self):
        """Whatever happened: in the end every message is acknowledged, in the order the broker had them."""
        if not hasattr(self, "model"):
            return
        self.commit_and_acknowledge_everything()
        safe = {one.message for one in self.model.sendings if one.settled and one.message_id}
        assert safe == set(range(self.messages))
        assert all(one.acknowledged for one in self.model.of_this_connection)
        assert len(self.pending) == 0

    def commit_and_acknowledge_everything(self):
        while True:
            self.commit_all()
            self.acknowledge()
            if not self.model.queue:
                return
            self.receive(same_id=False)


def test_acknowledgements_follow_the_model():
    run_state_machine_as_test(
        PendingMachine, settings=settings(max_examples=200, stateful_step_count=50, deadline=None)
    )
